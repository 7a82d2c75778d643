"""Loss scaling for fp16, and the point at which it has failed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler

from sovdeck.engine.contract.problem import ExitCode, Problem

# Halved at each update that overflows. Gradients that overflow even when they are
# made a thousand times smaller are not too large for the format: they are no numbers.
_MIN_SCALE = 2.0**-10


# For the losses of SoVITS, which are means: the mel term, weighted by 45, is the largest of them.
MEAN_LOSS_SCALE = 2.0**10
# torch waits for 2,000 updates before it doubles the scale; a voice has a few hundred.
_GROWTH_INTERVAL = 200


def summed_loss_scale(targets: int) -> float:
    """The scale to start with for a loss that is a sum over `targets` tokens.

    torch's own start, 65536, overflows fp16 in the first updates, and each of them is skipped.
    """
    return 2.0 ** math.floor(math.log2(2**15 / max(1, targets)))


class CheckedGradScaler(GradScaler):
    """torch's scaler, which would skip one update after another for ever.

    device_kind: "cuda" or "cpu". first_scale: what gradients are multiplied by at the start.
    """

    def __init__(self, device_kind: str, first_scale: float, *, enabled: bool) -> None:
        super().__init__(
            device_kind, init_scale=first_scale, growth_interval=_GROWTH_INTERVAL, enabled=enabled
        )

        self._skipped: torch.Tensor | None = None  # on the device; None: nothing was counted

    def update(self, new_scale: float | torch.Tensor | None = None) -> None:
        """Adapt the scale; an update that made it smaller was skipped, and is counted."""
        if not self.is_enabled():
            return
        assert self._scale is not None, "the losses of this update have been scaled"
        before = self._scale.clone()
        super().update(new_scale)
        smaller = self._scale < before
        self._skipped = smaller.long() if self._skipped is None else self._skipped + smaller

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved scale; a state saved in another format has none."""
        if self.is_enabled():
            self._per_optimizer_states.clear()  # the marks of an update that was broken off
        self._skipped = None
        if state_dict:
            super().load_state_dict(state_dict)

    def check_scale(self, stage: str) -> int:
        """How many updates were skipped since this was last asked. Waits for the device.

        Problem when no scale makes the gradients finite.
        """
        if not self.is_enabled():
            return 0
        if self.get_scale() < _MIN_SCALE:
            raise Problem("engine.training.no_scale", ExitCode.DATA, stage=stage)
        skipped = 0 if self._skipped is None else int(self._skipped)
        self._skipped = None
        return skipped
