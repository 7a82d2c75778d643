"""Which clip is seen when: nothing dropped, nothing seen three times, four updates or a refusal."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.updates import (
    auto_batch_size,
    fixed_updates_per_epoch,
    max_batch_size,
    upstream_gpt_updates_per_epoch,
    upstream_repeats,
    upstream_sovits_updates_per_epoch,
)
from sovdeck.engine.training import upstream_schedule as upstream
from sovdeck.engine.training.batch_schedule import BatchSizes, batch_schedule, check_batch


def flat(updates: object) -> list[int]:
    return [clip for update in updates for batch in update for clip in batch]  # type: ignore[attr-defined]


@given(
    clips=st.integers(2, 200),
    batch=st.integers(1, 40),
    world=st.integers(1, 4),
    accumulate=st.sampled_from([1, 4]),
    epoch=st.integers(1, 50),
)
@settings(max_examples=200, deadline=None)
def test_every_clip_once_or_twice_and_four_updates(
    clips: int, batch: int, world: int, accumulate: int, epoch: int
) -> None:
    sizes = BatchSizes(batch, world, accumulate)
    try:
        check_batch(clips, sizes, "gpt.batch_size")
    except Problem as problem:
        largest = max_batch_size(clips, world)
        assert batch > largest
        if largest:
            check_batch(clips, BatchSizes(largest, world), "x")
            assert problem.facts["largest"] == largest
        return
    lengths = [(clip * 37) % 101 for clip in range(clips)]
    updates = batch_schedule(lengths, sizes, epoch=epoch, seed=1)
    seen = Counter(flat(updates))
    assert set(seen) == set(range(clips)) and max(seen.values()) <= 2
    assert len(updates) == fixed_updates_per_epoch(clips, batch, world, accumulate) >= 4
    assert all(len(part) == sizes.global_batch for update in updates for part in update)
    parts = [len(update) for update in updates]
    assert max(parts) - min(parts) <= 1 and max(parts) <= accumulate
    assert updates == batch_schedule(lengths, sizes, epoch=epoch, seed=1)


def test_epochs_differ_and_like_lengths_meet() -> None:
    lengths = list(range(64))
    one, two = (batch_schedule(lengths, BatchSizes(4), epoch=epoch, seed=1) for epoch in (1, 2))
    assert one != two
    spread = [max(part) - min(part) for update in one for part in update]
    assert sum(spread) / len(spread) < 20  # random batches of 4 out of 64 span about 40


@pytest.mark.parametrize(("clips", "batch"), [(20, 7), (100, 34), (4, 2), (1, 1)])
def test_too_large_a_batch_is_refused(clips: int, batch: int) -> None:
    with pytest.raises(Problem):
        check_batch(clips, BatchSizes(batch), "sovits.batch_size")


def test_auto_batch_never_starves_an_epoch() -> None:
    big, small = 80 << 30, 6 << 30
    assert auto_batch_size("gpt", 400, big) == 40
    assert auto_batch_size("sovits", 200, big) == 12
    assert auto_batch_size("gpt", 20, big) == 6
    assert auto_batch_size("sovits", 20, small) == 3
    assert auto_batch_size("sovits", 3, small) == 1


# Upstream -----------------------------------------------------------------------------

# Updates an epoch by clips and batch size (columns 4 6 8 12 16 24 40), as upstream was
# measured: a set of 100 repeated clips and a batch of 40 never trains at all.
UPDATES = {
    20: (6, 4, 3, 2, 1, 1, 0),
    40: (4, 3, 2, 1, 1, 0, 0),
    60: (7, 4, 3, 2, 1, 1, 0),
    100: (6, 4, 3, 2, 1, 1, 0),
    200: (12, 8, 6, 4, 3, 2, 1),
    400: (24, 16, 12, 8, 6, 4, 2),
}


@pytest.mark.parametrize("clips", UPDATES)
def test_upstreams_gpt_updates_an_epoch(clips: int) -> None:
    found = []
    for batch in (4, 6, 8, 12, 16, 24, 40):
        items = clips * upstream_repeats(clips)
        sizes = BatchSizes(upstream.gpt_batch_size(batch, items), 1, 4)
        found.append(len(upstream.gpt_schedule([5.0] * items, sizes, epoch=3)))
    assert tuple(found) == UPDATES[clips]
    planned = [upstream_gpt_updates_per_epoch(clips, batch) for batch in (4, 6, 8, 12, 16, 24, 40)]
    assert planned == found


def test_upstreams_left_over_batches_open_the_next_epoch() -> None:
    seconds = [1.0] * 7  # seven batches: 0-4 step, 5 and 6 are left over
    sizes = BatchSizes(1, 1, 4)
    assert [len(u) for u in upstream.gpt_schedule(seconds, sizes, epoch=1)] == [5]
    second = upstream.gpt_schedule(seconds, sizes, epoch=2)
    assert [len(u) for u in second] == [7]
    leftover = tuple(upstream.gpt_batches(seconds, sizes, epoch=1)[5:])
    assert second[0][:2] == leftover


def gpt_updates_from_the_first_epoch(
    seconds: list[float], sizes: BatchSizes, epoch: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """The same as GPT-SoVITS runs it: one epoch after the other, with what is left over."""
    carried: list[tuple[int, ...]] = []
    updates: list[tuple[tuple[int, ...], ...]] = []
    for number in range(1, epoch + 1):
        updates = []
        for index, batch in enumerate(upstream.gpt_batches(seconds, sizes, epoch=number)):
            carried.append(batch)
            if index > 0 and index % 4 == 0:
                updates.append(tuple(carried))
                carried = []
    return tuple(updates)


@pytest.mark.parametrize("clips", [0, 3, 4, 5, 6, 7, 8, 9, 13, 41])
@pytest.mark.parametrize("epoch", [1, 2, 7, 50])
def test_a_late_epoch_of_upstream_costs_no_more_than_the_second(
    clips: int, epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.5 + 0.3 * number for number in range(clips)]
    sizes = BatchSizes(1, 1, 4)
    expected = gpt_updates_from_the_first_epoch(seconds, sizes, epoch)
    computed: list[int] = []
    batches = upstream.gpt_batches

    def count(*args: Any, epoch: int, **given: Any) -> Any:
        computed.append(epoch)
        return batches(*args, epoch=epoch, **given)

    monkeypatch.setattr(upstream, "gpt_batches", count)
    assert upstream.gpt_schedule(seconds, sizes, epoch=epoch) == expected
    assert sorted(computed) == [one for one in (epoch - 1, epoch) if one]


def test_upstreams_small_sets_are_repeated() -> None:
    assert [upstream_repeats(n) for n in (20, 34, 50, 60, 99, 100, 300)] == [5, 2, 2, 2, 2, 1, 1]


def test_upstreams_sovits_buckets_repeat_rare_lengths_and_drop_the_ends() -> None:
    lengths = [32, 33, 250, 300, 301, 1900, 1901]
    updates = upstream.sovits_schedule(lengths, BatchSizes(4), epoch=1)
    seen = Counter(flat(updates))
    assert 0 not in seen and 6 not in seen
    assert seen[5] == 4 and seen[4] == 4  # alone in their buckets
    assert {1, 2, 3} <= set(seen) and sum(seen[i] for i in (1, 2, 3)) == 4
    assert all(len(update) == 1 and len(update[0]) == 4 for update in updates)
    assert updates != upstream.sovits_schedule(lengths, BatchSizes(4), epoch=2)
    twice = upstream.sovits_schedule(lengths * upstream_repeats(7), BatchSizes(4), epoch=1)
    assert len(twice) == upstream_sovits_updates_per_epoch(lengths, 4)


def test_gpt_batches_hold_neighbours_in_length() -> None:
    seconds = [number / 4 for number in range(80)]
    batches = upstream.gpt_batches(seconds, BatchSizes(4), epoch=1)
    assert sorted(flat([batches])) == list(range(80))
    assert all(max(b) - min(b) <= 12 for b in batches)  # two buckets of 8 at most
