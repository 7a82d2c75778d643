"""The training loop of both stages: one pass of the `for` below is one optimiser update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from engine.contract.problem import ExitCode, Problem
from engine.runtime.distributed import Peers
from engine.runtime.journal import Emit
from engine.runtime.signals import StopFlag
from engine.training.order import Update
from engine.training.prefetch import prefetched
from engine.training.progress import Meter, Pace, Position, Reading, Trend

_MOST_LEFT_OUT = 3
_MANY_UPDATES = 50  # an epoch with more is logged every tenth update


class BatchLike(Protocol):
    """Some clips, padded; `rows` cuts without changing the padding."""

    @property
    def clips(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def rows(self, start: int, stop: int | None, stride: int = 1) -> Any: ...


B = TypeVar("B", bound=BatchLike)


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

    def begin_epoch(self, epoch: int) -> None:
        """Set learning rates."""
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


def train(
    task: Task, settings: LoopSettings, position: Position, desk: Desk, trend: Trend
) -> Position:
    """Train from `position` to the end of the last epoch and return where that is.

    Raises Stopped at an update's border after a signal, with a state saved; Problem when
    memory or finite numbers run out.
    """
    meter, pace = Meter(), Pace()
    per_epoch = len(task.order(1))
    log_every = 1 if per_epoch <= _MANY_UPDATES else 10

    while position.epoch <= settings.epochs:
        epoch = position.epoch
        updates = task.order(epoch)
        reading = None
        task.begin_epoch(epoch)

        def load(index: int, update: Update, epoch: int = epoch) -> Sequence[Any]:
            return task.load(epoch, index, update)

        for index, batches in prefetched(updates, position.index, load):
            if (epoch, index) in position.left_out:
                position = replace(position, index=index + 1)
                continue
            losses, micro = _update(task, batches, position, settings, desk)
            meter.add(position, losses)
            position = position.after_update(micro)
            pace.tick()

            stop, save = desk.peers.any(desk.stop.is_set, desk.save_due())
            if stop or save or len(meter) >= log_every or position.index == len(updates):
                reading = meter.read()
                if reading.bad:
                    break
                trend.add(reading.losses["total"])
                _report(task, reading, position, per_epoch, settings, pace, desk)
            if stop or save:
                desk.save(position)
            if stop:
                raise desk.stop.ending()

        if reading is not None and reading.bad:
            position = _roll_back(task, reading.bad[0], position, desk)
            meter.clear()
            continue
        position = position.after_epoch()
        desk.emit("epoch", task.name, epoch=epoch, epochs=settings.epochs, step=position.step)
        desk.finish_epoch(epoch, position)
    return position


def _update(
    task: Task, batches: Sequence[B], position: Position, settings: LoopSettings, desk: Desk
) -> tuple[Mapping[str, Tensor], int]:
    """One optimiser update; halves the micro-batch when memory runs out and goes on.

    Returns the losses and the micro-batch it came to (0: the whole). A phase that was broken
    off is computed again; one that was applied is not.
    """
    micro = position.micro or settings.batch
    losses: dict[str, Tensor] = {}
    for phase in task.phases():
        computed = None
        while computed is None:
            try:
                computed = phase.compute(_split(batches, micro))
            except RuntimeError as error:  # torch.OutOfMemoryError is one
                if not is_out_of_memory(error):
                    raise
            # Outside the handler: the exception's frames keep the tensors of the pass alive.
            (failed,) = desk.peers.any(computed is None)
            if failed:
                computed = None
                task.forget()
                micro = _smaller(batches, micro, position, settings, desk, task)
        losses.update(desk.peers.sum(dict(computed)))
        losses.update(phase.apply())
    return losses, micro if micro < settings.batch else 0


def _smaller(
    batches: Sequence[B],
    micro: int,
    position: Position,
    settings: LoopSettings,
    desk: Desk,
    task: Task,
) -> int:
    largest = min(micro, max(len(batch) for batch in batches))
    if largest == 1 or settings.on_oom == "stop":
        clips = sorted({clip for batch in batches for clip in batch.clips})
        raise Problem(
            "engine.training.out_of_memory", ExitCode.MEMORY,
            stage=task.name, batch=largest, clips=", ".join(clips[:8]),
        )  # fmt: skip
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    smaller = largest // 2
    desk.emit(
        "oom_recovered", task.name, batch_before=largest, batch_after=smaller,
        effective_batch=settings.batch, epoch=position.epoch, step=position.step,
    )  # fmt: skip
    return smaller


def _split(batches: Sequence[B], micro: int) -> list[B]:
    return [
        batch.rows(start, start + micro)
        for batch in batches
        for start in range(0, len(batch), micro)
    ]


def is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA raises torch.OutOfMemoryError; the CPU's allocator a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _report(
    task: Task,
    reading: Reading,
    position: Position,
    per_epoch: int,
    settings: LoopSettings,
    pace: Pace,
    desk: Desk,
) -> None:
    total = per_epoch * settings.epochs
    losses = {name: value for name, value in reading.losses.items() if name != "grad_norm"}
    desk.emit(
        "step", task.name, step=position.step, total=total, losses=losses,
        epoch=position.epoch, rate=pace.rate, eta_s=pace.eta(max(0, total - position.step)),
        grad_norm=reading.losses.get("grad_norm"), lr=getattr(task, "rate", None),
    )  # fmt: skip


def _roll_back(task: Task, bad: Position, position: Position, desk: Desk) -> Position:
    """Put the newest state back and leave the update out that gave no finite number."""
    clips = _clips_of(task, bad)
    left_out = (*position.left_out, (bad.epoch, bad.index))
    facts = {"stage": task.name, "epoch": bad.epoch, "update": bad.index + 1, "clips": clips}
    task.forget()
    back = desk.roll_back()
    if len(left_out) > _MOST_LEFT_OUT:
        raise Problem("engine.training.not_finite", ExitCode.DATA, **facts)
    notice = Problem("engine.training.rolled_back", ExitCode.DATA, **facts)
    desk.emit("warning", task.name, step=back.step, **notice.as_json())
    return replace(back, left_out=left_out)


def _clips_of(task: Task, place: Position) -> str:
    update = task.order(place.epoch)[place.index]
    clips = {clip for batch in task.load(place.epoch, place.index, update) for clip in batch.clips}
    return ", ".join(sorted(clips)[:8])
