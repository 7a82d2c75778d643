"""One optimiser update that survives running out of memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from engine.contract.problem import ExitCode, Problem
from engine.runtime import chance
from engine.runtime.memory_end import is_out_of_memory
from engine.training.progress import Position
from engine.training.task import BatchLike, Desk, LoopSettings, Phase, Task

B = TypeVar("B", bound=BatchLike)


class TornUpdate(Exception):
    """Memory ran out while weights were being moved: some have moved, some have not."""

    def __init__(self, batches: Sequence[BatchLike], micro: int) -> None:
        super().__init__(f"after passes of {micro} clips at once")
        self.batches = batches
        self.micro = micro


def update_once(
    task: Task, batches: Sequence[B], position: Position, settings: LoopSettings, desk: Desk
) -> tuple[Mapping[str, Tensor], int]:
    """One optimiser update; halves the micro-batch when memory runs out and goes on.

    Returns the losses and the micro-batch it came to (0: the whole). A phase that was broken
    off is computed again; one that was applied is not. Raises TornUpdate when memory runs out
    in a step itself: nothing may go on from those weights, see `recover`.
    """
    micro = position.micro or settings.batch
    losses: dict[str, Tensor] = {}
    for phase in task.phases():
        computed, micro = _compute(phase, task, batches, micro, position, settings, desk)
        losses.update(desk.peers.sum(dict(computed)))
        losses.update(_apply(phase, task, batches, micro, desk))
    return losses, micro if micro < settings.batch else 0


def recover(
    task: Task, torn: TornUpdate, position: Position, settings: LoopSettings, desk: Desk
) -> Position:
    """Put the newest state back after a torn update, to go on from there in smaller pieces.

    Problem when there are no smaller ones; what is on the disk is whole then too.
    """
    facts = {"stage": task.name, "epoch": position.epoch, "update": position.index + 1}
    largest = _largest(torn.batches, torn.micro)
    if largest == 1 or settings.on_oom == "stop":
        raise Problem("engine.training.no_room_to_step", ExitCode.MEMORY, **facts)
    smaller = _halved(largest, position, settings, desk, task)
    back = desk.roll_back()
    notice = Problem("engine.training.step_undone", ExitCode.MEMORY, batch=smaller, **facts)
    desk.emit("warning", task.name, step=back.step, **notice.as_json())
    return replace(back, micro=smaller, left_out=position.left_out)


def probe(
    task: Task, worst: Sequence[B], position: Position, settings: LoopSettings, desk: Desk
) -> Position:
    """Compute the heaviest update without applying it, to meet the memory's end beforehand.

    Returns `position` with the micro-batch that fits, measured anew: what was saved may come
    from a smaller GPU. The dice are as before.
    """
    dice = chance.capture()
    # Held while it computes: without it the first update would fit and the second not.
    moments = room_for_moments(task.optimizers)
    micro = settings.batch
    for phase in task.phases():
        _, micro = _compute(phase, task, worst, micro, position, settings, desk)
    task.forget()
    del moments
    chance.restore(dice)
    return replace(position, micro=micro if micro < settings.batch else 0)


def room_for_moments(optimizers: Sequence[torch.optim.Optimizer]) -> list[Tensor]:
    """Memory like that of the moments, two numbers a weight, where no step has made them yet."""
    weights = [
        weight for optimizer in optimizers for group in optimizer.param_groups
        for weight in group["params"] if not optimizer.state.get(weight)
    ]  # fmt: skip
    return [torch.empty_like(weight) for weight in weights for _ in range(2)]


def _compute(
    phase: Phase,
    task: Task,
    batches: Sequence[B],
    micro: int,
    position: Position,
    settings: LoopSettings,
    desk: Desk,
) -> tuple[Mapping[str, Tensor], int]:
    while True:
        computed = None
        try:
            computed = phase.compute(_split(batches, micro))
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not is_out_of_memory(error):
                raise
        # Outside the handler: the exception's frames keep the tensors of the pass alive.
        (failed,) = desk.peers.any(computed is None)
        if computed is not None and not failed:
            return computed, micro
        task.forget()
        micro = _smaller(batches, micro, position, settings, desk, task)


def _apply(
    phase: Phase, task: Task, batches: Sequence[B], micro: int, desk: Desk
) -> Mapping[str, Tensor]:
    applied = None
    try:
        applied = phase.apply()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    (torn,) = desk.peers.any(applied is None)
    if applied is not None and not torn:
        return applied
    task.forget()
    raise TornUpdate(batches, micro)


def _smaller(
    batches: Sequence[B],
    micro: int,
    position: Position,
    settings: LoopSettings,
    desk: Desk,
    task: Task,
) -> int:
    largest = _largest(batches, micro)
    if largest == 1 or settings.on_oom == "stop":
        clips = sorted({clip for batch in batches for clip in batch.clips})
        raise Problem(
            "engine.training.out_of_memory", ExitCode.MEMORY,
            stage=task.name, batch=largest, clips=", ".join(clips[:8]),
        )  # fmt: skip
    return _halved(largest, position, settings, desk, task)


def _largest(batches: Sequence[BatchLike], micro: int) -> int:
    """Clips that were computed at once."""
    return min(micro, max(len(batch) for batch in batches))


def _halved(
    largest: int, position: Position, settings: LoopSettings, desk: Desk, task: Task
) -> int:
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
