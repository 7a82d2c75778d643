"""The table of parameters.md 2.3, and equality with the trainer's own order of batches."""

from __future__ import annotations

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.updates import (
    fixed_updates_per_epoch,
    held_out_clips,
    max_batch_size,
    upstream_gpt_updates_per_epoch,
    upstream_sovits_updates_per_epoch,
)

BATCHES = (4, 6, 8, 12, 16, 24, 40)
TABLE = {
    20: (6, 4, 3, 2, 1, 1, 0),
    40: (4, 3, 2, 1, 1, 0, 0),
    60: (7, 4, 3, 2, 1, 1, 0),
    100: (6, 4, 3, 2, 1, 1, 0),
    200: (12, 8, 6, 4, 3, 2, 1),
    400: (24, 16, 12, 8, 6, 4, 2),
}


@pytest.mark.parametrize("clips", TABLE)
def test_upstream_gpt_updates_are_the_table(clips: int) -> None:
    assert tuple(upstream_gpt_updates_per_epoch(clips, batch) for batch in BATCHES) == TABLE[clips]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_counts_are_the_trainers(world: int) -> None:
    order = pytest.importorskip("sovdeck.engine.training.batch_schedule")
    for clips in (1, 2, 3, 5, 8, 13, 20, 33, 60, 99, 100, 214, 400):
        for batch in (1, 2, 4, 7, 12, 40):
            for accumulate in (1, 4):
                sizes = order.BatchSizes(batch, world, accumulate)
                theirs = len(order.batch_schedule([1] * clips, sizes, epoch=1, seed=0))
                assert fixed_updates_per_epoch(clips, batch, world, accumulate) == theirs
        if largest := max_batch_size(clips, world):
            order.check_batch(clips, order.BatchSizes(largest, world), "sovits.batch_size")
            with pytest.raises(Problem):
                order.check_batch(clips, order.BatchSizes(largest + 1, world), "sovits.batch_size")


def test_upstream_orders_have_these_lengths() -> None:
    upstream = pytest.importorskip("sovdeck.engine.training.upstream_schedule")
    from sovdeck.engine.training.batch_schedule import BatchSizes

    for clips in (20, 40, 60, 100, 214):
        frames = [40 + (number * 97) % 1700 for number in range(clips)]
        for batch in (4, 12):
            repeated = [frames[number] for number in upstream.repeat_clips(clips)]
            theirs = len(upstream.sovits_schedule(repeated, BatchSizes(batch), epoch=1))
            assert upstream_sovits_updates_per_epoch(frames, batch) == theirs
            size = upstream.gpt_batch_size(batch, len(repeated))
            seconds = [length / 50 for length in repeated]
            theirs = len(upstream.gpt_schedule(seconds, BatchSizes(size), epoch=1))
            assert upstream_gpt_updates_per_epoch(clips, batch) == theirs


def test_held_out_is_the_trainers() -> None:
    features = pytest.importorskip("sovdeck.engine.training.features")
    from pathlib import Path

    for count in (1, 9, 10, 25, 100):
        clips = [
            features.TrainingClip(f"{n}.wav", (), (), "", Path(), Path(), None, 0)
            for n in range(count)
        ]
        assert held_out_clips(count) == len(features.hold_out(clips)[1])
