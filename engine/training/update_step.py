"""One optimiser update that survives running out of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.oom import is_out_of_memory
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.task import BatchLike, LoopSettings, Phase, Task, TrainingCallbacks

B = TypeVar("B", bound=BatchLike)


class PartialUpdateError(Exception):
    """Memory ran out while weights were being moved: some have moved, some have not."""

    def __init__(self, batches: Sequence[BatchLike], micro: int) -> None:
        super().__init__(f"after passes of {micro} clips at once")
        self.batches = batches
        self.micro = micro


def run_update(
    task: Task,
    batches: Sequence[B],
    position: Position,
    settings: LoopSettings,
    callbacks: TrainingCallbacks,
) -> tuple[Mapping[str, Tensor], int]:
    """One optimiser update; halves the micro-batch when memory runs out and goes on.

    Returns the losses and the micro-batch it came to (0: the whole). A phase that was broken
    off is computed again; one that was applied is not. Raises PartialUpdateError when memory
    runs out in a step itself: nothing may go on from those weights, see
    `recover_from_partial_update`.
    """
    micro = position.micro or settings.batch_size
    losses: dict[str, Tensor] = {}
    for phase in task.phases():
        computed, micro = _compute(phase, task, batches, micro, position, settings, callbacks)
        losses.update(callbacks.peers.sum_losses(dict(computed)))
        losses.update(_apply(phase, task, batches, micro, callbacks))
    return losses, micro if micro < settings.batch_size else 0


def recover_from_partial_update(
    task: Task,
    partial_update: PartialUpdateError,
    position: Position,
    settings: LoopSettings,
    callbacks: TrainingCallbacks,
) -> Position:
    """Restore the newest state after a partial update, to go on in smaller micro-batches.

    Problem when there are no smaller ones; what is on the disk is whole then too.
    """
    facts = {"stage": task.name, "epoch": position.epoch, "update": position.index + 1}
    largest = _largest_micro_batch(partial_update.batches, partial_update.micro)
    if largest == 1 or settings.on_oom == "stop":
        raise Problem("engine.training.no_room_to_step", ExitCode.MEMORY, **facts)
    smaller = _halve_micro_batch(largest, position, settings, callbacks, task)
    restored = callbacks.roll_back()
    notice = Problem("engine.training.step_undone", ExitCode.MEMORY, batch=smaller, **facts)
    callbacks.emit("warning", task.name, step=restored.step, **notice.as_json())
    restored = replace(restored, left_out=position.left_out)
    return restored.going_on_from(position).with_micro(smaller)


def probe_memory(
    task: Task,
    largest: Sequence[B],
    position: Position,
    settings: LoopSettings,
    callbacks: TrainingCallbacks,
) -> Position:
    """Compute the largest update without applying it, to run out of memory beforehand.

    Returns `position` with the micro-batch that fits, measured anew: what was saved may come
    from a smaller GPU. The RNG state is as before.
    """
    rng_state = rng.capture()
    # Held while it computes; without it the first update would fit and the second not.
    moments = allocate_moments(task.optimizers)
    micro = settings.batch_size
    for phase in task.phases():
        _, micro = _compute(phase, task, largest, micro, position, settings, callbacks)
    task.discard_gradients()
    del moments
    rng.restore(rng_state)
    return position.with_micro(micro if micro < settings.batch_size else 0)


def grow_micro_batch(
    task: Task, position: Position, settings: LoopSettings, callbacks: TrainingCallbacks
) -> Position:
    """Return `position` with more clips at once where it is time to try, and say so.

    The same in every process, and again after a resume: it depends on the position alone.
    """
    micro = position.grown_micro(settings.batch_size)
    if micro == position.micro:
        return position
    notice = Problem(
        "engine.training.batch_grown",
        ExitCode.OK,
        stage=task.name,
        before=position.micro,
        after=micro or settings.batch_size,
    )
    callbacks.emit("warning", task.name, step=position.step, **notice.as_json())
    return position.with_micro(micro)


def allocate_moments(optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """Allocate the memory of the moments, two numbers a weight, that no step has made yet."""
    weights = [
        weight
        for optimizer in optimizers
        for group in optimizer.param_groups
        for weight in group["params"]
        if not optimizer.state.get(weight)
    ]
    return [torch.empty_like(weight) for weight in weights for _ in range(2)]


def _compute(
    phase: Phase,
    task: Task,
    batches: Sequence[B],
    micro: int,
    position: Position,
    settings: LoopSettings,
    callbacks: TrainingCallbacks,
) -> tuple[Mapping[str, Tensor], int]:
    while True:
        computed = None
        try:
            computed = phase.compute(_split_batches(batches, micro))
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not is_out_of_memory(error):
                raise
        # Outside the handler: the exception's frames keep the tensors of the pass alive.
        (failed,) = callbacks.peers.any_rank(computed is None)
        if computed is not None and not failed:
            return computed, micro
        task.discard_gradients()
        micro = _shrink_micro_batch(batches, micro, position, settings, callbacks, task)


def _apply(
    phase: Phase, task: Task, batches: Sequence[B], micro: int, callbacks: TrainingCallbacks
) -> Mapping[str, Tensor]:
    applied = None
    try:
        applied = phase.apply()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    (failed,) = callbacks.peers.any_rank(applied is None)
    if applied is not None and not failed:
        return applied
    task.discard_gradients()
    raise PartialUpdateError(batches, micro)


def _shrink_micro_batch(
    batches: Sequence[B],
    micro: int,
    position: Position,
    settings: LoopSettings,
    callbacks: TrainingCallbacks,
    task: Task,
) -> int:
    largest = _largest_micro_batch(batches, micro)
    if largest == 1 or settings.on_oom == "stop":
        clips = sorted({clip for batch in batches for clip in batch.clips})
        raise Problem(
            "engine.training.out_of_memory",
            ExitCode.MEMORY,
            stage=task.name,
            batch=largest,
            clips=", ".join(clips[:8]),
        )
    return _halve_micro_batch(largest, position, settings, callbacks, task)


def _largest_micro_batch(batches: Sequence[BatchLike], micro: int) -> int:
    """Clips that were computed at once."""
    return min(micro, max(len(batch) for batch in batches))


def _halve_micro_batch(
    largest: int,
    position: Position,
    settings: LoopSettings,
    callbacks: TrainingCallbacks,
    task: Task,
) -> int:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    smaller = largest // 2
    callbacks.emit(
        "oom_recovered",
        task.name,
        batch_before=largest,
        batch_after=smaller,
        effective_batch=settings.batch_size,
        epoch=position.epoch,
        step=position.step,
    )
    return smaller


def _split_batches(batches: Sequence[B], micro: int) -> list[B]:
    return [
        batch.select_rows(start, start + micro)
        for batch in batches
        for start in range(0, len(batch), micro)
    ]
