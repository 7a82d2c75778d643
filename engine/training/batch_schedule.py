"""Which clips make which optimiser update: the `fixed` schedule. Pure functions.

An update is a tuple of micro-batches, a micro-batch a tuple of clip numbers. With several
GPUs a micro-batch is global: rank r of n computes `batch[r::n]`. The order depends on
(clips, batch, epoch, seed) alone, so a resumed epoch goes on where it stood.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.updates import MIN_UPDATES, max_batch_size

Batch = tuple[int, ...]
Update = tuple[Batch, ...]

_SORT_WINDOW = 8  # batches sorted by length together: little padding, still well mixed


@dataclass(frozen=True)
class BatchSizes:
    """`batch` clips a GPU, on `world_size` GPUs; at most `accumulation_steps` batches an update."""

    batch: int
    world_size: int = 1
    accumulation_steps: int = 1

    @property
    def global_batch(self) -> int:
        """Clips of one micro-batch over all GPUs."""
        return self.batch * self.world_size


def check_batch(clips: int, sizes: BatchSizes, parameter: str) -> None:
    """Raise Problem when an epoch of `clips` would have fewer than four updates."""
    largest = max_batch_size(clips, sizes.world_size)
    if largest == 0:
        raise Problem(
            "engine.training.few_clips", ExitCode.DATA, clips=clips, gpus=sizes.world_size
        )
    if sizes.batch > largest:
        raise Problem(
            "engine.training.batch_too_large",
            ExitCode.CONFIG,
            parameter=parameter,
            batch=sizes.batch,
            clips=clips,
            largest=largest,
        )


def batch_schedule(
    lengths: Sequence[int], sizes: BatchSizes, *, epoch: int, seed: int, repeats: int = 1
) -> tuple[Update, ...]:
    """Make the updates of one epoch: every clip `repeats` times, and at most once more.

    `lengths` holds one number a clip, in any unit. Clips of like length share a batch. The last
    batch is filled up with other clips, so that each update weighs the same; micro-batches are
    spread evenly over the updates.
    """
    rng = random.Random(f"{seed}:{epoch}")
    once = list(range(len(lengths)))
    clips: list[int] = []
    for _ in range(repeats):
        rng.shuffle(once)
        clips += once
    clips += _extra_clips(once, len(clips), sizes.global_batch, rng)
    window = sizes.global_batch * _SORT_WINDOW
    if repeats > 1:  # no wider than the set, or a batch would be one clip again and again
        window = min(window, max(1, len(lengths) // sizes.global_batch) * sizes.global_batch)
    batches: list[Batch] = []
    for start in range(0, len(clips), window):
        window_clips = sorted(clips[start : start + window], key=lambda clip: lengths[clip])
        batches += [
            tuple(window_clips[i : i + sizes.global_batch])
            for i in range(0, len(window_clips), sizes.global_batch)
        ]
    rng.shuffle(batches)
    return tuple(_group_into_updates(batches, sizes.accumulation_steps))


def largest_batch(lengths: Sequence[int], sizes: BatchSizes) -> Update:
    """One batch of the longest clips: what has to fit into memory."""
    longest = sorted(range(len(lengths)), key=lambda clip: -lengths[clip])
    return (tuple(longest[: sizes.global_batch]),)


def _extra_clips(
    clips: Sequence[int], shown: int, global_batch: int, rng: random.Random
) -> list[int]:
    # To whole batches; and to four of them where there are few clips, each then seen once more.
    missing = max(MIN_UPDATES * global_batch - shown, -shown % global_batch)
    return rng.sample(list(clips), min(missing, len(clips)))


def _group_into_updates(batches: Sequence[Batch], accumulation_steps: int) -> list[Update]:
    """Group micro-batches into updates whose sizes differ by one at most, never below four."""
    groups = -(-len(batches) // accumulation_steps)
    groups = min(len(batches), max(MIN_UPDATES, groups))
    size, larger = divmod(len(batches), groups)
    updates: list[Update] = []
    start = 0
    for group in range(groups):
        end = start + size + (group < larger)
        updates.append(tuple(batches[start:end]))
        start = end
    return updates
