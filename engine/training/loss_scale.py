"""Loss scaling for fp16, and the point at which it has failed."""

from __future__ import annotations

from typing import Any

from torch.amp.grad_scaler import GradScaler

from engine.contract.problem import ExitCode, Problem

# Halved from 65536 at each update that overflows. Gradients that overflow even when they are
# made a thousand times smaller are not too large for the format: they are no numbers.
_LEAST = 2.0**-10


class LossScale(GradScaler):
    """torch's scaler, which would skip one update after another for ever."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved scale; a state saved in another format has none."""
        if self.is_enabled():
            self._per_optimizer_states.clear()  # the marks of an update that was broken off
        if state_dict:
            super().load_state_dict(state_dict)

    def check(self, stage: str) -> None:
        """Raise Problem when no scale makes the gradients finite. Waits for the device."""
        if self.is_enabled() and self.get_scale() < _LEAST:
            raise Problem("engine.training.no_scale", ExitCode.DATA, stage=stage)
