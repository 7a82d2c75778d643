"""What the loop drives and what it asks for: the words between loop, tasks and stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer

from engine.runtime.distributed import Peers
from engine.runtime.journal import Emit
from engine.runtime.signals import StopFlag
from engine.training.order import Update
from engine.training.progress import Position


class BatchLike(Protocol):
    """Some clips, padded; `rows` cuts without changing the padding."""

    @property
    def clips(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def rows(self, start: int, stop: int | None, stride: int = 1) -> Any: ...


@dataclass(frozen=True)
class Phase:
    """Part of an update. `compute` leaves gradients and may be repeated; `apply` steps.

    Losses are this process's share of the whole batch's: their sum over processes is the loss.
    """

    compute: Callable[[Sequence[Any]], Mapping[str, Tensor]]
    apply: Callable[[], Mapping[str, Tensor]]


class Task(Protocol):
    """What the loop drives: one stage's model, optimisers and data."""

    name: str

    def order(self, epoch: int) -> tuple[Update, ...]:
        """The updates of an epoch; the same whenever asked."""
        ...

    def load(self, epoch: int, index: int, update: Update) -> Sequence[Any]:
        """This process's micro-batches of one update, from disk. Runs in another thread."""
        ...

    def heaviest(self) -> Sequence[Any]:
        """This process's share of the batch that takes most memory."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Set learning rates."""
        ...

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """What steps; the moments of each take memory from its first step on."""
        ...

    def check(self) -> None:
        """Raise Problem when training cannot go on like this; asked where numbers are read."""
        ...

    def phases(self) -> tuple[Phase, ...]:
        """The parts of an update, in order."""
        ...

    def forget(self) -> None:
        """Drop gradients and graphs: a pass was broken off."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """`epochs` in all, `batch` clips a GPU and micro-batch, `on_oom` "shrink" or "stop"."""

    epochs: int
    batch: int
    on_oom: str = "shrink"


@dataclass(frozen=True)
class Desk:
    """What the loop asks of the outside world; it does no I/O itself.

    save_due: is it time for a state by the clock. save: write a state. roll_back: load the
    newest state, return its position. finish_epoch: save, export, judge, where due.
    """

    emit: Emit
    stop: StopFlag
    save_due: Callable[[], bool]
    save: Callable[[Position], None]
    roll_back: Callable[[], Position]
    finish_epoch: Callable[[int, Position], None]
    peers: Peers = Peers()
