"""What a training stage runs in (`RunContext`), consists of (`StageHooks`) and results in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.time_model import SavedClips
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.runtime.event_writer import Emit
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.task import Task


@dataclass(frozen=True)
class RunContext:
    """The run a stage belongs to: its spec, folders, events, device and peers.

    Only the leading process of several emits events. While the context manager that
    `release_events` returns is open, another process may write them.
    """

    spec: RunSpec
    layout: Layout
    emit: Emit
    stop: StopFlag
    device: Device
    peers: Peers = Peers()
    release_events: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def work(self) -> Path:
        """The work folder."""
        return Path(self.layout.work)

    def relative_path(self, path: Path) -> str:
        """`path` below the work folder, with forward slashes."""
        return path.relative_to(self.work).as_posix()


@dataclass(frozen=True)
class Export:
    """A voice file that a stage wrote; `path` as it lies on this machine."""

    path: Path
    kind: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class StageHooks:
    """What differs between the stages, as functions over the trained model.

    export(epoch, position, metrics) writes the small weight file; validate() returns metrics of
    the held-out clips, or nothing; measure_change(path) is the norm of what training changed in
    an exported file; sample(epoch, path) speaks with it; fixed_loss() is the loss of a few fixed
    clips without randomness. `clips` are the numbers and lengths that times are estimated from.
    """

    task: Task
    batch_size: int
    must_match: Mapping[str, Any]
    state_dict: Callable[[], dict[str, Any]]
    load_state_dict: Callable[[Mapping[str, Any]], None]
    export: Callable[[int, Position, Mapping[str, float]], Export]
    validate: Callable[[], Mapping[str, float]]
    measure_change: Callable[[Path], float]
    sample: Callable[[int, Path], None]
    fixed_loss: Callable[[], float]
    clips: SavedClips


@dataclass(frozen=True)
class StageOutcome:
    """The result of a stage.

    `updates` counts those of this run; `weight_change` is the norm of the change of the weights.
    first_loss and last_loss are means over the first and the last epoch; loss_before and
    loss_after are the loss of the same few clips without randomness, in which even a dozen
    updates show.
    """

    name: str
    updates: int
    seconds: float
    first_loss: float | None
    last_loss: float | None
    loss_before: float
    loss_after: float
    weight_change: float
    export: Export

    @property
    def loss_fell(self) -> bool:
        """Whether the loss of the fixed clips is lower than before training."""
        return self.loss_after < self.loss_before
