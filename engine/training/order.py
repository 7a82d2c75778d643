"""Which clips make which optimiser update: the `fixed` schedule. Pure functions.

An update is a tuple of micro-batches, a micro-batch a tuple of clip numbers. With several
GPUs a micro-batch is global: rank r of n computes `batch[r::n]`. The order depends on
(clips, batch, epoch, seed) alone, so a resumed epoch goes on where it stood.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.contract.problem import ExitCode, Problem
from engine.contract.updates import LEAST_UPDATES, largest_batch

Batch = tuple[int, ...]
Update = tuple[Batch, ...]

_WINDOW = 8  # batches sorted by length together: little padding, still well mixed


@dataclass(frozen=True)
class Sizes:
    """`batch` clips per GPU, `world` GPUs, `accumulate` micro-batches an update at most."""

    batch: int
    world: int = 1
    accumulate: int = 1

    @property
    def whole(self) -> int:
        return self.batch * self.world


def check_batch(clips: int, sizes: Sizes, parameter: str) -> None:
    """Raise Problem when an epoch of `clips` would have fewer than four updates."""
    largest = largest_batch(clips, sizes.world)
    if largest == 0:
        raise Problem("engine.training.few_clips", ExitCode.DATA, clips=clips, gpus=sizes.world)
    if sizes.batch > largest:
        raise Problem(
            "engine.training.batch_too_large", ExitCode.CONFIG,
            parameter=parameter, batch=sizes.batch, clips=clips, largest=largest,
        )  # fmt: skip


def fixed_order(
    lengths: Sequence[int], sizes: Sizes, *, epoch: int, seed: int
) -> tuple[Update, ...]:
    """The updates of one epoch: every clip at least once, none more than twice.

    Clips of like length share a batch. The last batch is filled up with other clips, so that
    each update weighs the same; micro-batches are spread evenly over the updates.
    """
    chance = random.Random(f"{seed}:{epoch}")
    clips = list(range(len(lengths)))
    chance.shuffle(clips)
    clips += _filling(clips, sizes.whole, chance)
    window = sizes.whole * _WINDOW
    batches: list[Batch] = []
    for start in range(0, len(clips), window):
        near = sorted(clips[start : start + window], key=lambda clip: lengths[clip])
        batches += [tuple(near[i : i + sizes.whole]) for i in range(0, len(near), sizes.whole)]
    chance.shuffle(batches)
    return tuple(_spread(batches, sizes.accumulate))


def heaviest(lengths: Sequence[int], sizes: Sizes) -> Update:
    """One batch of the longest clips: what has to fit into memory."""
    longest = sorted(range(len(lengths)), key=lambda clip: -lengths[clip])
    return (tuple(longest[: sizes.whole]),)


def _filling(clips: Sequence[int], whole: int, chance: random.Random) -> list[int]:
    # To whole batches; and to four of them where there are few clips, each then seen twice.
    need = max(LEAST_UPDATES * whole - len(clips), -len(clips) % whole)
    return chance.sample(list(clips), min(need, len(clips)))


def _spread(batches: Sequence[Batch], accumulate: int) -> list[Update]:
    """Group micro-batches into updates whose sizes differ by one at most, never below four."""
    groups = -(-len(batches) // accumulate)
    groups = min(len(batches), max(LEAST_UPDATES, groups))
    size, larger = divmod(len(batches), groups)
    updates: list[Update] = []
    start = 0
    for number in range(groups):
        end = start + size + (number < larger)
        updates.append(tuple(batches[start:end]))
        start = end
    return updates
