"""Where a training stage works, what it is made of, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.layout import Layout
from engine.contract.spec import RunSpec
from engine.runtime.device import Device
from engine.runtime.distributed import Peers
from engine.runtime.journal import Emit
from engine.runtime.signals import StopFlag
from engine.training.progress import Position
from engine.training.task import Task


@dataclass(frozen=True)
class Room:
    """Where a stage works. Only the leading process of several emits anything.

    `lend` lets another process write the events while it is open.
    """

    spec: RunSpec
    layout: Layout
    emit: Emit
    stop: StopFlag
    device: Device
    peers: Peers = Peers()
    lend: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def work(self) -> Path:
        return Path(self.layout.work)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.work).as_posix()


@dataclass(frozen=True)
class Export:
    """A voice file that a stage wrote; `path` as it lies on this machine."""

    path: Path
    kind: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Craft:
    """What differs between the stages, as functions over the trained model.

    export(epoch, position, metrics) writes the small file; validate() gives metrics of the
    held-out clips, or nothing; change(export) is the norm of what training changed in it;
    sample(epoch) speaks; fixed_loss() is the loss of a few fixed clips without dice.
    """

    task: Task
    batch: int
    must_match: Mapping[str, Any]
    state: Callable[[], dict[str, Any]]
    restore: Callable[[Mapping[str, Any]], None]
    export: Callable[[int, Position, Mapping[str, float]], Export]
    validate: Callable[[], Mapping[str, float]]
    change: Callable[[Path], float]
    sample: Callable[[int, Path], None]
    fixed_loss: Callable[[], float]


@dataclass(frozen=True)
class StageOutcome:
    """What a stage came to. `updates` of this run; `change` is the norm of the weights' move.

    first_loss and last_loss are means over the first and the last epoch; before and after are
    the loss of the same few clips without dice, which a run of a dozen updates moves visibly.
    """

    name: str
    updates: int
    seconds: float
    first_loss: float | None
    last_loss: float | None
    before: float
    after: float
    change: float
    export: Export

    @property
    def loss_fell(self) -> bool:
        return self.after < self.before
