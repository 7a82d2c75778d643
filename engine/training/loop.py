"""The training loop of both stages: one pass of the `for` below is one optimiser update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.event_pace import EventPace
from sovdeck.engine.training.batch_schedule import Update
from sovdeck.engine.training.meters import LossMeter, LossTrend, MeanLosses, Position, Throughput
from sovdeck.engine.training.prefetch import prefetch
from sovdeck.engine.training.task import LoopSettings, Task, TrainingCallbacks
from sovdeck.engine.training.update_step import (
    PartialUpdateError,
    grow_micro_batch,
    recover_from_partial_update,
    run_update,
)

EpochUpdates = tuple[Update, ...]
NORM_NAMES = ("grad_norm", "grad_norm_d")  # read with the losses, emitted beside them
_MAX_SKIPPED_UPDATES = 3
_MANY_UPDATES = 50  # an epoch with more is logged every tenth update
# Step events of a stage: all of the first ones, then so many seconds apart. A stage that lasts a
# month leaves 75 MB with its TensorBoard file, and curves are drawn from fewer points anyway.
_ALL_STEPS, _STEP_INTERVAL_S = 10_000, 30.0


def log_interval(per_epoch: int) -> int:
    """Updates between two readings of the losses: reading makes a GPU wait."""
    return 1 if per_epoch <= _MANY_UPDATES else 10


def train(
    task: Task,
    settings: LoopSettings,
    position: Position,
    callbacks: TrainingCallbacks,
    trend: LossTrend,
) -> Position:
    """Train from `position` to the end of the last epoch and return where that is.

    Raises Stopped at an update's border after a signal, with a state saved; Problem when
    memory or finite numbers run out.
    """
    loss_meter, throughput = LossMeter(), Throughput()
    per_epoch = len(task.epoch_updates(1))
    log_every = log_interval(per_epoch)
    pace = EventPace(_ALL_STEPS, _STEP_INTERVAL_S)

    while position.epoch <= settings.epochs:
        epoch = position.epoch
        updates = task.epoch_updates(epoch)
        mean_losses = partial_update = None
        task.set_learning_rate(epoch)

        remaining = [
            index
            for index in range(position.index, len(updates))
            if (epoch, index) not in position.left_out
        ]

        def load_batches(
            index: int, epoch: int = epoch, updates: EpochUpdates = updates
        ) -> Sequence[Any]:
            return task.load_batches(epoch, index, updates[index])

        for index, batches in prefetch(remaining, load_batches):
            position = replace(position, index=index)
            position = grow_micro_batch(task, position, settings, callbacks)
            try:
                losses, micro = run_update(task, batches, position, settings, callbacks)
            except PartialUpdateError as update:
                # Without its traceback, whose frames would keep tensors alive.
                partial_update = update.with_traceback(None)
                break
            loss_meter.add(position, losses)
            position = position.after_update(micro)
            throughput.count_update()

            stop, save = callbacks.peers.any_rank(callbacks.stop.is_set, callbacks.save_due())
            if stop or save or len(loss_meter) >= log_every or index == remaining[-1]:
                mean_losses = loss_meter.read()
                if mean_losses.bad:
                    break
                position = _count_skipped(task, position, callbacks)
                trend.add(mean_losses.losses["total"])
                last = epoch == settings.epochs and index == remaining[-1]
                if pace.is_due(forced=stop or save or last):
                    _emit_step(
                        task, mean_losses, position, per_epoch, settings, throughput, callbacks
                    )
            if stop or save:
                with throughput.paused():
                    callbacks.save(position)
            if stop:
                raise callbacks.stop.make_stopped()

        if partial_update is not None:
            position = recover_from_partial_update(
                task, partial_update, position, settings, callbacks
            )
        elif mean_losses is not None and mean_losses.bad:
            position = _roll_back(task, mean_losses.bad[0], position, callbacks)
        else:
            position = position.after_epoch()
            callbacks.emit(
                "epoch", task.name, epoch=epoch, epochs=settings.epochs, step=position.step
            )
            with throughput.paused():
                callbacks.finish_epoch(epoch, position)
            continue
        loss_meter.clear()
    return position


def _count_skipped(task: Task, position: Position, callbacks: TrainingCallbacks) -> Position:
    """Note the updates that loss scaling has skipped, and say so: they moved no weight."""
    skipped = task.check_loss_scale()
    if not skipped:
        return position
    position = replace(position, skipped=position.skipped + skipped)
    notice = Problem(
        "engine.training.updates_skipped",
        ExitCode.OK,
        stage=task.name,
        count=skipped,
        all=position.skipped,
        step=position.step,
    )
    callbacks.emit("warning", task.name, step=position.step, **notice.as_json())
    return position


def _emit_step(
    task: Task,
    mean_losses: MeanLosses,
    position: Position,
    per_epoch: int,
    settings: LoopSettings,
    throughput: Throughput,
    callbacks: TrainingCallbacks,
) -> None:
    total = per_epoch * settings.epochs
    norms = {name: mean_losses.losses.get(name) for name in NORM_NAMES}
    losses = {name: value for name, value in mean_losses.losses.items() if name not in norms}
    callbacks.emit(
        "step",
        task.name,
        step=position.step,
        total=total,
        losses=losses,
        epoch=position.epoch,
        rate=throughput.updates_per_second,
        eta_s=_eta_s(throughput, max(0, total - position.step), position, callbacks),
        lr=task.learning_rate,
        **norms,
    )


def _eta_s(
    throughput: Throughput, updates: int, position: Position, callbacks: TrainingCallbacks
) -> float | None:
    """Seconds to the end of the stage: updates, saves and closing; None without a rate."""
    each = throughput.eta_s(1)
    return None if each is None else updates * each + callbacks.rest_s(position, each)


def _roll_back(
    task: Task, bad: Position, position: Position, callbacks: TrainingCallbacks
) -> Position:
    """Restore the newest state and skip the update whose losses were not finite."""
    clips = _clip_names(task, bad)
    skipped = (*position.left_out, (bad.epoch, bad.index))
    facts = {"stage": task.name, "epoch": bad.epoch, "update": bad.index + 1, "clips": clips}
    task.discard_gradients()
    restored = callbacks.roll_back()
    if len(skipped) > _MAX_SKIPPED_UPDATES:
        raise Problem("engine.training.not_finite", ExitCode.DATA, **facts)
    notice = Problem("engine.training.rolled_back", ExitCode.DATA, **facts)
    callbacks.emit("warning", task.name, step=restored.step, **notice.as_json())
    return replace(restored, left_out=skipped).going_on_from(position)


def _clip_names(task: Task, position: Position) -> str:
    update = task.epoch_updates(position.epoch)[position.index]
    clips = {
        clip
        for batch in task.load_batches(position.epoch, position.index, update)
        for clip in batch.clips
    }
    return ", ".join(sorted(clips)[:8])
