"""The plan's time against runs that were measured, of every part of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, RunPlan, StageProgress, make_plan
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.time_model import SavedClips, TimeModel

# A quiet run of `make rehearsal`: one thread, v2Pro, seven clips; SoVITS went on after its first
# epoch, from a state of another run. Its GPT had learnt nothing and spoke to the limit.
CLIPS = [PlanClip(one) for one in (4.02, 3.85, 3.81, 3.94, 4.87, 4.28, 3.53)]
SAMPLE_SOUND_S, PROOF_SOUND_S = 18.4, 23.3
MEASURED_S = {"sovits": 51.0, "gpt": 81.0, "proof": 21.8}
# CPU-seconds of each stage on a busy machine: fresh preparing, then the same resume.
BUSY_CPU_S = {"prepare": 22.3, "sovits": 62.0, "gpt": 87.8, "proof": 25.0}
PARAMS: dict[str, ParamValue] = {
    "train.repeats": 1,
    "train.save_every_minutes": 0,
    "sovits.epochs": 2,
    "sovits.save_every_epochs": 1,
    "sovits.batch_size": 2,
    "gpt.epochs": 2,
    "gpt.save_every_epochs": 2,
    "gpt.batch_size": 1,
}
SPEC = RunSpec("second", "Mei", "v2Pro", params=PARAMS, pretrained="v2")
ONE_THREAD = PlanDevice(cores=1)
FIRST_EPOCH = {"sovits": StageProgress(1)}


def planned(device: PlanDevice = ONE_THREAD, spec: RunSpec = SPEC, **how: Any) -> RunPlan:
    return make_plan(spec, CLIPS, device, **how)


def stage(plan: RunPlan, name: str) -> float:
    return plan.stage_seconds()[name]


def test_a_resumed_stage_takes_the_rest_of_its_time() -> None:
    made = planned(progress=FIRST_EPOCH)
    sovits = made.stages[0]
    assert (sovits.updates, sovits.done, sovits.saves) == (8, 4, 2)
    assert sovits.seconds == pytest.approx(MEASURED_S["sovits"], rel=0.25)
    assert stage(planned(), "sovits") > 1.4 * sovits.seconds
    assert made.disk == planned().disk, "what is there already is written over or kept"
    assert "goes on after 4 updates" in "\n".join(made.format_lines("en"))


def test_speaking_takes_time_by_the_sound() -> None:
    times = TimeModel("v2Pro", None, 1, ())
    assert times.sentence(PROOF_SOUND_S) == pytest.approx(MEASURED_S["proof"], rel=0.1)
    gpt = planned().stages[1]
    lengths = [clip.seconds for clip in CLIPS]
    usual = SavedClips.of(7, 0, lengths)
    rambling = replace(usual, sample_seconds=SAMPLE_SOUND_S)
    longer = times.export("gpt", rambling) - times.export("gpt", usual)
    assert gpt.seconds + longer == pytest.approx(MEASURED_S["gpt"], rel=0.25)
    # A voice that has learnt to speak says the reference in the reference's time.
    assert stage(planned(), "proof") == pytest.approx(times.sentence(4.87))


def test_preparing_takes_time_by_the_sound_and_by_what_is_read_from_it() -> None:
    times, quiet = TimeModel("v2Pro", None, 1, ()), 51.0 / BUSY_CPU_S["sovits"]
    assert times.prepare(28.31) == pytest.approx(quiet * BUSY_CPU_S["prepare"], rel=0.25)
    assert TimeModel("v2", None, 1, ()).prepare(600) < 0.6 * times.prepare(600)
    assert TimeModel("v2Pro", None, 4, ()).prepare(600) < 0.3 * times.prepare(600)


def test_on_a_busy_machine_all_stages_keep_their_proportions() -> None:
    """What one stage took there is measured, the others follow from it."""
    times = TimeModel("v2Pro", None, 1, ())
    update = times.update("sovits", 2, 1.0, 4.04)
    busy = measured("sovits", 1.15 * update, batch=2, clip_seconds=4.04)
    slower = TimeModel("v2Pro", None, 1, (busy,))
    assert slower.machine_factor == pytest.approx(1.15)
    assert slower.prepare(28.31) == pytest.approx(BUSY_CPU_S["prepare"], rel=0.25)
    assert slower.sentence(23.62) == pytest.approx(BUSY_CPU_S["proof"], rel=0.25)
    made = planned(replace(ONE_THREAD, measured=(busy,)), prepared=True, progress=FIRST_EPOCH)
    usual = SavedClips.of(7, 0, [clip.seconds for clip in CLIPS])
    rambling = replace(usual, sample_seconds=18.73)
    longer = slower.export("gpt", rambling) - slower.export("gpt", usual)
    assert made.stages[0].seconds == pytest.approx(BUSY_CPU_S["sovits"], rel=0.25)
    assert made.stages[1].seconds + longer == pytest.approx(BUSY_CPU_S["gpt"], rel=0.25)


def test_updates_of_the_toys() -> None:
    """CPU-seconds of one update, measured with batches of two clips of four seconds."""
    times = TimeModel("tiny", None, 2, ())
    assert times.update("sovits", 2, 1, 4) == pytest.approx(0.113, rel=0.25)
    assert times.update("gpt", 2, 4, 4) == pytest.approx(0.0717, rel=0.25)
    assert times.update("gpt", 2, 1, 4) == pytest.approx(0.0235, rel=0.35)


def test_the_whole_of_that_run() -> None:
    times, made = TimeModel("v2Pro", None, 1, ()), planned(prepared=True, progress=FIRST_EPOCH)
    usual = SavedClips.of(7, 0, [clip.seconds for clip in CLIPS])
    rambling = replace(usual, sample_seconds=SAMPLE_SOUND_S)
    longer = times.export("gpt", rambling) - times.export("gpt", usual)
    longer += times.sentence(PROOF_SOUND_S) - times.sentence(4.87)
    assert made.seconds + longer == pytest.approx(171, rel=0.1)


@pytest.mark.parametrize(
    ("progress", "done", "left"),
    [
        (StageProgress(0, 3), 3, 5),
        (StageProgress(1, 0), 4, 4),
        (StageProgress(1, 2), 6, 2),
        (StageProgress(2, 0), 8, 0),
        (StageProgress(9, 0), 8, 0),
        (StageProgress(0, 99), 4, 4),
    ],
)
def test_updates_of_a_state_are_done(progress: StageProgress, done: int, left: int) -> None:
    device = replace(ONE_THREAD, rates={"gpt": 1.0})
    whole = planned(device, progress={"gpt": StageProgress(0, 0)}).stages[1]
    some = planned(device, progress={"gpt": progress}).stages[1]
    assert (some.done, some.updates - some.done) == (done, left)
    if left:  # saved once, at the end, whatever is done
        assert whole.seconds - some.seconds == pytest.approx(done)
    else:  # nothing is spoken either; the networks are built and measured all the same
        assert 0 < some.seconds < whole.seconds - done - 10


def test_a_state_of_the_same_run_knows_its_loss() -> None:
    own = planned(progress={"gpt": StageProgress(1, 0, same_run=True)}).stages[1].seconds
    other = planned(progress={"gpt": StageProgress(1, 0)}).stages[1].seconds
    assert 1 < other - own < 3


def test_the_proof_loads_what_speaks_where_no_sample_did() -> None:
    done = planned(progress={"gpt": StageProgress(2)})
    alone = planned(spec=replace(SPEC, stages=("proof",)))
    assert stage(done, "proof") == stage(alone, "proof") > stage(planned(), "proof") + 3


def test_a_proof_of_its_own_takes_time_by_its_length() -> None:
    short = planned(spec=replace(SPEC, proof_text="はい。"))
    long = planned(spec=replace(SPEC, proof_text="はい。" * 20))
    english = planned(spec=replace(SPEC, proof_text="Yes" * 20, proof_language="en"))
    assert stage(short, "proof") < stage(english, "proof") < stage(long, "proof")


def test_held_out_clips_take_time_at_each_save() -> None:
    many = [PlanClip(5.0)] * 200  # twenty of them are held out
    spec = replace(SPEC, params={**PARAMS, "sovits.epochs": 4})
    (sovits, _) = make_plan(spec, many, ONE_THREAD).stages
    times = TimeModel("v2Pro", None, 1, ())
    each = times.save("sovits", SavedClips.of(180, 20, [5.0] * 200)) - times.state("sovits")
    assert sovits.held_out == 20 and sovits.saving_seconds > 4 * each > 4 * 20 * 0.4


def test_gpt_reads_whole_clips_and_sovits_slices() -> None:
    times = TimeModel("v2", None, 1, ())
    assert times.update("gpt", 1, 1, 10) == pytest.approx(1.9 * times.update("gpt", 1, 1, 5), 0.05)
    assert times.update("sovits", 1, 1, 10) < 1.1 * times.update("sovits", 1, 1, 5)
    # Stepping the optimisers costs the same for one clip and for four.
    assert times.update("sovits", 4, 1, 5) < 3.5 * times.update("sovits", 1, 1, 5)
    assert times.update("gpt", 1, 4, 5) == pytest.approx(times.update("gpt", 4, 1, 5))


def measured(stage: str, seconds: float, **sizes: Any) -> Measurement:
    return Measurement(stage, "v2Pro", sizes.pop("batch", 1), seconds, "first", **sizes)


def test_an_update_that_was_measured_is_taken_as_it_was() -> None:
    sovits = measured("sovits", 54.0, batch=2, clip_seconds=4.04)
    made = planned(replace(ONE_THREAD, measured=(sovits,)), progress=FIRST_EPOCH)
    alone = planned(replace(ONE_THREAD, rates={"sovits": 1 / 54}), progress=FIRST_EPOCH)
    assert not made.stages[0].estimated and made.stages[1].estimated
    assert made.stages[0].seconds - made.stages[0].saving_seconds > 4 * 54
    assert alone.stages[0].seconds > 4 * 54


def test_a_slow_processor_is_slow_in_all_it_does() -> None:
    """Eight times as slow by what was measured there: so are GPT, speech and loading."""
    quiet = planned()
    slow = [
        measured("sovits", 8 * 6.9, batch=2, clip_seconds=4.0),
        measured("prepare", 8 * 19.15, clip_seconds=28.3),
    ]
    made = planned(replace(ONE_THREAD, measured=tuple(slow)))
    for name in ("opening", "prepare", "proof"):
        assert stage(made, name) == pytest.approx(8 * stage(quiet, name), rel=0.05), name
    for name in ("sovits", "gpt"):  # but for their files, which the disk is as quick to take
        assert 5 * stage(quiet, name) < stage(made, name) < 8 * stage(quiet, name)
    assert stage(made, "pack") == stage(quiet, "pack")
    fast_gpt = [*slow, measured("gpt", 2.07, micro_batches=1.75, clip_seconds=4.04)]
    own = planned(replace(ONE_THREAD, measured=tuple(fast_gpt))).stages[1]
    assert own.seconds < made.stages[1].seconds and not own.estimated


def test_what_one_kind_takes_says_nothing_of_another_on_a_gpu() -> None:
    card = PlanDevice("NVIDIA GeForce RTX 3090", cores=8)
    slow = replace(card, measured=(measured("sovits", 9.0, batch=2),))
    before, after = planned(card), planned(slow)
    assert after.stages[0].seconds > before.stages[0].seconds
    assert after.stages[1] == before.stages[1] and after.other_seconds == before.other_seconds


def times_of(plan: RunPlan) -> Any:
    return plan.stages, plan.stage_seconds()


def test_toys_and_full_networks_say_nothing_of_each_other() -> None:
    toy = Measurement("gpt", "tiny", 4, 60.0, "demo")
    assert times_of(planned(replace(ONE_THREAD, measured=(toy,)))) == times_of(planned())
    tiny = replace(SPEC, preset="tiny", pretrained=None)
    full = measured("gpt", 60.0)
    with_full = planned(replace(ONE_THREAD, measured=(full,)), tiny)
    assert times_of(with_full) == times_of(planned(spec=tiny))


@pytest.mark.parametrize("preset", ["tiny", "tinyPro", "v2", "v2ProPlus"])
@pytest.mark.parametrize("gpu", [None, "NVIDIA GeForce RTX 4090"])
def test_no_part_of_a_run_takes_no_time(preset: str, gpu: str | None) -> None:
    spec = replace(SPEC, preset=preset)
    for progress in ({}, {"sovits": StageProgress(2), "gpt": StageProgress(2)}):
        made = planned(PlanDevice(gpu, cores=2), spec, prepared=True, progress=progress)
        assert all(seconds > 0 for seconds in made.stage_seconds().values())
        assert made.seconds == pytest.approx(sum(made.stage_seconds().values()))
    if preset.startswith("tiny"):
        assert planned(PlanDevice(gpu, cores=2), spec).seconds < 60
