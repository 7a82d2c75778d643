"""An epoch of a small set means what it means in GPT-SoVITS: as many updates, as many clips."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, make_plan
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.updates import (
    GPT_ACCUMULATION_STEPS,
    fixed_repeats,
    fixed_updates_per_epoch,
    held_out_clips,
    upstream_gpt_updates_per_epoch,
    upstream_repeats,
    upstream_sovits_updates_per_epoch,
)
from sovdeck.engine.training.batch_schedule import BatchSizes, batch_schedule

GIB = 1 << 30


@pytest.mark.parametrize("gib", [6, 8, 12, 24, 48, 80])
@pytest.mark.parametrize("clips", range(10, 51))
def test_a_first_voice_gets_what_upstream_gives_it(clips: int, gib: int) -> None:
    """With every default, on any card, whatever the lengths of the clips."""
    draw = random.Random(f"{clips}:{gib}")
    seconds = [draw.uniform(2.0, 10.0) for _ in range(clips)]
    device = PlanDevice("NVIDIA RTX 4090", gib * GIB, 8)
    plan = make_plan(RunSpec("r", "v"), [PlanClip(one, int(one * 10)) for one in seconds], device)
    theirs = max(1, int((gib + 0.4) / 2))  # upstream's default batch
    updates = {
        "sovits": upstream_sovits_updates_per_epoch([int(one * 50) for one in seconds], theirs),
        "gpt": upstream_gpt_updates_per_epoch(clips, theirs),
    }
    for stage in plan.stages:
        assert stage.epochs == PARAMS[f"{stage.name}.epochs"].default
        assert stage.updates_per_epoch >= updates[stage.name], stage.name
        assert stage.clips * fixed_repeats(clips) >= clips * upstream_repeats(clips)


def test_twenty_clips() -> None:
    assert fixed_repeats(20) == 6 and upstream_repeats(20) == 5
    repeats = [fixed_repeats(clips) for clips in (0, 9, 50, 60, 99, 100, 500)]
    assert repeats == [1, 12, 3, 2, 2, 1, 1]
    assert fixed_repeats(20, 1) == 1, "a person's own number holds"
    assert 8 * fixed_updates_per_epoch(19, 12, repeats=fixed_repeats(20)) >= 72


def test_the_advice_on_updates_is_what_the_plan_says() -> None:
    """What stands beside the parameter is told of 20 clips and the advised 8 epochs."""
    assert PARAMS["sovits.epochs"].default == 8
    device = PlanDevice("NVIDIA RTX 4090", 24 * GIB, 8)
    clips = [PlanClip(4.0, 40)] * 20
    (sovits,) = make_plan(RunSpec("r", "v", stages=("sovits",)), clips, device).stages
    advice = PARAMS["train.repeats"].advice.en
    assert "20 clips gets 150 and more with 8 epochs" in advice and sovits.updates >= 150
    assert "makes 64 to 72" in advice
    theirs = 8 * upstream_sovits_updates_per_epoch([200] * 20, 12)
    assert 64 <= theirs <= 72 < sovits.updates


def test_the_held_out_share_shrinks_with_the_set() -> None:
    assert [held_out_clips(n) for n in (9, 10, 20, 40, 99, 100, 250)] == [0, 1, 1, 2, 4, 10, 25]
    for clips in range(10, 100):
        assert 1 <= held_out_clips(clips) <= clips / 10


@pytest.mark.parametrize("accumulation", [1, GPT_ACCUMULATION_STEPS])
@pytest.mark.parametrize(("clips", "batch"), [(9, 2), (19, 6), (19, 4), (33, 12), (48, 12)])
def test_the_trainer_makes_the_counted_updates(clips: int, batch: int, accumulation: int) -> None:
    repeats = fixed_repeats(clips + held_out_clips(clips + 1))
    lengths = [100 + 7 * (number % 13) for number in range(clips)]
    sizes = BatchSizes(batch, 1, accumulation)
    updates = batch_schedule(lengths, sizes, epoch=1, seed=1, repeats=repeats)
    assert len(updates) == fixed_updates_per_epoch(clips, batch, 1, accumulation, repeats)
    batches = [one for update in updates for one in update]
    shown = Counter(clip for one in batches for clip in one)
    assert set(shown) == set(range(clips))
    assert min(shown.values()) >= repeats and max(shown.values()) <= repeats + 1
    alike = [len(one) - len(set(one)) for one in batches]
    assert sum(alike) < 0.2 * sum(map(len, batches)), "a batch is not one clip again and again"
