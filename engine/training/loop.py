"""The training loop of both stages: one pass of the `for` below is one optimiser update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.contract.problem import ExitCode, Problem
from engine.training.order import Update
from engine.training.prefetch import prefetched
from engine.training.progress import Meter, Pace, Position, Reading, Trend
from engine.training.task import Desk, LoopSettings, Task
from engine.training.updating import TornUpdate, recover, update_once

Order = tuple[Update, ...]
NORMS = ("grad_norm", "grad_norm_d")  # read with the losses, told beside them
_MOST_LEFT_OUT = 3
_MANY_UPDATES = 50  # an epoch with more is logged every tenth update


def readings_every(per_epoch: int) -> int:
    """Updates between two readings of the losses: reading makes a GPU wait."""
    return 1 if per_epoch <= _MANY_UPDATES else 10


def train(
    task: Task, settings: LoopSettings, position: Position, desk: Desk, trend: Trend
) -> Position:
    """Train from `position` to the end of the last epoch and return where that is.

    Raises Stopped at an update's border after a signal, with a state saved; Problem when
    memory or finite numbers run out.
    """
    meter, pace = Meter(), Pace()
    per_epoch = len(task.order(1))
    log_every = readings_every(per_epoch)

    while position.epoch <= settings.epochs:
        epoch = position.epoch
        updates = task.order(epoch)
        reading = torn = None
        task.begin_epoch(epoch)

        ahead = [
            index for index in range(position.index, len(updates))
            if (epoch, index) not in position.left_out
        ]  # fmt: skip

        def load(index: int, epoch: int = epoch, updates: Order = updates) -> Sequence[Any]:
            return task.load(epoch, index, updates[index])

        for index, batches in prefetched(ahead, load):
            position = replace(position, index=index)
            try:
                losses, micro = update_once(task, batches, position, settings, desk)
            except TornUpdate as update:
                torn = update.with_traceback(None)  # whose frames would keep tensors alive
                break
            meter.add(position, losses)
            position = position.after_update(micro)
            pace.tick()

            stop, save = desk.peers.any(desk.stop.is_set, desk.save_due())
            if stop or save or len(meter) >= log_every or index == ahead[-1]:
                reading = meter.read()
                if reading.bad:
                    break
                task.check()
                trend.add(reading.losses["total"])
                _report(task, reading, position, per_epoch, settings, pace, desk)
            if stop or save:
                desk.save(position)
            if stop:
                raise desk.stop.ending()

        if torn is not None:
            position = recover(task, torn, position, settings, desk)
        elif reading is not None and reading.bad:
            position = _roll_back(task, reading.bad[0], position, desk)
        else:
            position = position.after_epoch()
            desk.emit("epoch", task.name, epoch=epoch, epochs=settings.epochs, step=position.step)
            desk.finish_epoch(epoch, position)
            continue
        meter.clear()
    return position


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
    norms = {name: reading.losses.get(name) for name in NORMS}
    losses = {name: value for name, value in reading.losses.items() if name not in norms}
    desk.emit(
        "step", task.name, step=position.step, total=total, losses=losses,
        epoch=position.epoch, rate=pace.rate, eta_s=pace.eta(max(0, total - position.step)),
        lr=getattr(task, "rate", None), **norms,
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
    return replace(back, micro=position.micro, left_out=left_out)


def _clips_of(task: Task, place: Position) -> str:
    update = task.order(place.epoch)[place.index]
    clips = {clip for batch in task.load(place.epoch, place.index, update) for clip in batch.clips}
    return ", ".join(sorted(clips)[:8])
