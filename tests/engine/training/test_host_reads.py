"""Nothing of an update reads a number back: on a GPU each reading is a wait for all its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from micro_stage import Record
from micro_voice import TASKS, gpt_task
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.meters import LossMeter, Position
from sovdeck.engine.training.scaled_adam import ScaledAdam
from sovdeck.engine.training.sovits_data import SovitsBatch
from sovdeck.engine.training.task import LoopSettings, TrainingCallbacks
from sovdeck.engine.training.update_step import run_update

ATEN = torch.ops.aten
# What `.item()`, `if tensor:` and shapes that depend on values come down to.
WAITING = {
    ATEN._local_scalar_dense.default,
    ATEN.nonzero.default,
    ATEN.masked_select.default,
    ATEN.equal.default,
    ATEN.is_nonzero.default,
}


class Waits(TorchDispatchMode):
    """Lists the operations that would have made a GPU wait."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in WAITING:
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def host_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch counts its frames before it is sent to the device: nothing waits for that."""
    shares = SovitsBatch.fractions

    def counted(batch: SovitsBatch) -> tuple[float, float]:
        with _disable_current_modes():
            found: tuple[float, float] = shares.__get__(batch)
            return found

    monkeypatch.setattr(SovitsBatch, "fractions", property(counted))


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the calls that would have brought a tensor to the host."""
    called: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        plain = getattr(torch.Tensor, name)

        def call(self: torch.Tensor, *args: Any) -> Any:
            called.append(name)
            return plain(self, *args)

        return call

    for name in ("cpu", "tolist", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, noted(name))
    return called


def test_the_count_counts() -> None:
    with Waits() as waits:
        one = torch.ones(())
        assert one.item() and bool(one)
    assert len(waits.found) == 2


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", [*TASKS, "gpt-dpo"])
def test_updates_read_nothing_and_a_reading_once(
    name: str, precision: str, clips: list[TrainingClip], transfers: list[str]
) -> None:
    make = TASKS.get(name, gpt_task)
    task = make(clips, precision=precision, **({"dpo": True} if name == "gpt-dpo" else {}))
    session = TrainingCallbacks(
        Record(), StopFlag(), lambda: False, print, Position, lambda *_: None
    )
    settings, meter, position = LoopSettings(1, 2), LossMeter(), Position()
    updates = task.epoch_updates(1)
    batches = [task.load_batches(1, index, update) for index, update in enumerate(updates)]
    transfers.clear()
    with Waits() as waits:
        for loaded in batches:
            losses, _ = run_update(task, loaded, position, settings, session)
            meter.add(position, losses)
    assert waits.found == [] and transfers == []
    reading = meter.read()
    assert reading.losses["total"] > 0 and not reading.bad
    assert transfers.count("cpu") == 1


def test_clipping_reads_nothing_either() -> None:
    weight = torch.nn.Parameter(torch.randn(4, 5))
    optimizer = ScaledAdam([weight], clipping_update_period=3, clip_update=True)
    with Waits() as waits:
        for number in range(8):
            weight.grad = torch.ones(4, 5) * (100 if number == 7 else 1)
            optimizer.step()
    assert waits.found == []
    assert optimizer.param_groups[0]["threshold"] > 0
