"""The table of parameters.md 2.3, and equality with the trainer's own order of batches."""

from __future__ import annotations

import pytest

from engine.contract.problem import Problem
from engine.contract.updates import (
    fixed_updates,
    held_out,
    largest_batch,
    upstream_gpt_updates,
    upstream_sovits_updates,
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
    assert tuple(upstream_gpt_updates(clips, batch) for batch in BATCHES) == TABLE[clips]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_counts_are_the_trainers(world: int) -> None:
    order = pytest.importorskip("engine.training.order")
    for clips in (1, 2, 3, 5, 8, 13, 20, 33, 60, 99, 100, 214, 400):
        for batch in (1, 2, 4, 7, 12, 40):
            for accumulate in (1, 4):
                sizes = order.Sizes(batch, world, accumulate)
                theirs = len(order.fixed_order([1] * clips, sizes, epoch=1, seed=0))
                assert fixed_updates(clips, batch, world, accumulate) == theirs
        if largest := largest_batch(clips, world):
            order.check_batch(clips, order.Sizes(largest, world), "sovits.batch_size")
            with pytest.raises(Problem):
                order.check_batch(clips, order.Sizes(largest + 1, world), "sovits.batch_size")


def test_upstream_orders_have_these_lengths() -> None:
    upstream = pytest.importorskip("engine.training.upstream_order")
    from engine.training.order import Sizes

    for clips in (20, 40, 60, 100, 214):
        frames = [40 + (number * 97) % 1700 for number in range(clips)]
        for batch in (4, 12):
            repeated = [frames[number] for number in upstream.repeated(clips)]
            theirs = len(upstream.sovits_order(repeated, Sizes(batch), epoch=1))
            assert upstream_sovits_updates(frames, batch) == theirs
            size = upstream.gpt_batch_size(batch, len(repeated))
            seconds = [length / 50 for length in repeated]
            theirs = len(upstream.gpt_order(seconds, Sizes(size), epoch=1))
            assert upstream_gpt_updates(clips, batch) == theirs


def test_held_out_is_the_trainers() -> None:
    features = pytest.importorskip("engine.training.features")
    from pathlib import Path

    for count in (1, 9, 10, 25, 100):
        clips = [
            features.Clip(f"{n}.wav", (), (), "", Path(), Path(), None, 0) for n in range(count)
        ]
        assert held_out(count) == len(features.hold_out(clips)[1])
