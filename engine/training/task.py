"""Protocols between the training loop, the task it runs and the stage around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer

from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.runtime.event_writer import Emit
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.batch_schedule import Update
from sovdeck.engine.training.meters import Position


class BatchLike(Protocol):
    """A padded batch of some clips."""

    @property
    def clips(self) -> tuple[str, ...]:
        """Names of the clips."""
        ...

    def __len__(self) -> int: ...

    def select_rows(self, start: int, stop: int | None, stride: int = 1) -> Any:
        """Select rows and keep the padding."""
        ...


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
    learning_rate: float

    def epoch_updates(self, epoch: int) -> tuple[Update, ...]:
        """The updates of an epoch; the same whenever asked."""
        ...

    def load_batches(self, epoch: int, index: int, update: Update) -> Sequence[Any]:
        """Read this process's micro-batches of one update. Runs in another thread."""
        ...

    def largest_batch(self) -> Sequence[Any]:
        """Read this process's share of the batch that takes most memory."""
        ...

    def set_learning_rate(self, epoch: int) -> None:
        """Set the learning rates of an epoch."""
        ...

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """The optimisers; the moments of each take memory from its first step on."""
        ...

    def check_loss_scale(self) -> int:
        """How many updates since it was last called were skipped; called where losses are read.

        Problem when training cannot go on like this.
        """
        ...

    def phases(self) -> tuple[Phase, ...]:
        """The parts of an update, in order."""
        ...

    def discard_gradients(self) -> None:
        """Drop gradients and graphs: a pass was broken off."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """`epochs` in all, `batch_size` clips a GPU and micro-batch, `on_oom` "shrink" or "stop"."""

    epochs: int
    batch_size: int
    on_oom: str = "shrink"


@dataclass(frozen=True)
class TrainingCallbacks:
    """What the loop asks of the outside world; it does no I/O itself.

    save_due: is it time for a state by the clock. save: write a state. roll_back: load the
    newest state, return its position. finish_epoch: save, export, validate, where due. rest_s:
    seconds that the stage takes after this position besides its updates, one of which takes so
    many seconds here.
    """

    emit: Emit
    stop: StopFlag
    save_due: Callable[[], bool]
    save: Callable[[Position], None]
    roll_back: Callable[[], Position]
    finish_epoch: Callable[[int, Position], None]
    peers: Peers = Peers()
    rest_s: Callable[[Position, float], float] = lambda _, __: 0.0
