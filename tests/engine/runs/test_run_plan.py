"""A run's plan: what it refuses, what it warns of, and figures that follow their inputs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, make_plan, usable_clips
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec

GIB = 1 << 30
CARD = PlanDevice("NVIDIA GeForce RTX 4090", 24 * GIB, 16, 100 * GIB, 2.0, "CNY")


def spec(**params: ParamValue) -> RunSpec:
    return RunSpec("r", "V", "v2", params={k.replace("__", "."): v for k, v in params.items()})


def clips(count: int, seconds: float = 5.0) -> list[PlanClip]:
    return [PlanClip(seconds, int(seconds * 10)) for _ in range(count)]


def test_a_usual_run() -> None:
    made = make_plan(spec(), clips(110), CARD)
    sovits, gpt = made.stages
    assert (made.clips, made.audio_seconds) == (110, 550.0)
    assert (sovits.clips, sovits.held_out, sovits.batch, sovits.epochs) == (99, 11, 12, 8)
    assert sovits.updates_per_epoch == 9 and sovits.updates == 72
    assert gpt.batch == 12 and gpt.updates_per_epoch == 4 and gpt.updates == 60
    assert made.refusals == () and made.warnings == ()
    assert made.cost == pytest.approx(made.seconds / 3600 * 2.0) and made.currency == "CNY"
    assert 60 < made.seconds < 3600 and all(stage.estimated for stage in made.stages)


def test_a_batch_that_leaves_no_updates_is_refused_with_its_parameter() -> None:
    made = make_plan(spec(gpt__batch_size=40, train__schedule="upstream"), clips(44), CARD)
    assert made.stages[1].updates_per_epoch == 0
    with pytest.raises(Problem) as refused:
        made.raise_refusal()
    assert refused.value.exit_code is ExitCode.CONFIG
    assert "gpt.batch_size" in refused.value.hint.en and refused.value.facts["largest"] == 13
    # The same settings under the fixed schedule.
    assert (
        make_plan(spec(gpt__batch_size=40), clips(44), CARD).refusals[0].key
        == "engine.plan.no_updates"
    )
    assert make_plan(spec(gpt__batch_size=13), clips(44), CARD).refusals == ()
    assert make_plan(spec(), clips(1), CARD).refusals[0].key == "engine.plan.few_clips"


def test_dpo_halves_the_batch() -> None:
    assert make_plan(spec(gpt__dpo=True, gpt__batch_size=8), clips(110), CARD).stages[1].batch == 4


def test_measured_rates_replace_estimates() -> None:
    device = PlanDevice("card", 24 * GIB, rates={"sovits": 2.0})
    sovits, gpt = make_plan(spec(), clips(110), device).stages
    quicker = make_plan(spec(), clips(110), replace(device, rates={"sovits": 4.0})).stages[0]
    assert sovits.seconds - quicker.seconds == pytest.approx(72 / 2 - 72 / 4)
    assert not sovits.estimated and gpt.estimated


def test_disk_follows_the_save_policy() -> None:
    latest = make_plan(spec(), clips(110), CARD).disk
    everything = make_plan(
        spec(sovits__keep_resume="all", gpt__keep_resume="all", sovits__save_every_epochs=1),
        clips(110),
        CARD,
    ).disk
    # 8 SoVITS states instead of 2, 3 GPT states instead of 2, 6 more exported files
    assert everything - latest == 6 * 1_180_000_000 + 930_000_000 + 6 * 85_000_000
    last_only = make_plan(spec(sovits__export_each_save=False), clips(110), CARD).disk
    assert latest - last_only == 85_000_000


def test_disk_counts_the_zip_and_states_by_the_clock() -> None:
    def disk(**params: ParamValue) -> int:
        return make_plan(spec(**params), clips(110), PlanDevice(cores=2)).disk

    unpacked = RunSpec("r", "V", "v2", stages=("prepare", "sovits", "gpt", "proof"))
    assert disk() - make_plan(unpacked, clips(110), PlanDevice(cores=2)).disk == 240_000_000
    assert disk(pack__contents="resumable") - disk(pack__contents="all-epochs") == 2_110_000_000
    assert disk() == disk(train__save_every_minutes=1), "two states are kept, however often"
    all_kept: dict[str, ParamValue] = {"sovits__keep_resume": "all", "gpt__keep_resume": "all"}
    often = disk(**all_kept, train__save_every_minutes=10)
    (sovits, gpt) = make_plan(
        spec(train__save_every_minutes=10), clips(110), PlanDevice(cores=2)
    ).stages
    assert sovits.timed_saves > 0
    timed = sovits.timed_saves * 1_180_000_000 + gpt.timed_saves * 930_000_000
    assert often - disk(**all_kept, train__save_every_minutes=0) == timed


def test_the_time_is_that_of_the_whole_run() -> None:
    made = make_plan(spec(), clips(110), PlanDevice(cores=2))
    assert set(made.other_seconds) == {"opening", "prepare", "proof", "pack"}
    assert made.seconds == pytest.approx(sum(made.stage_seconds().values()))
    sovits = made.stages[0]
    assert (sovits.saves, sovits.saving_seconds > 0) == (2, True)
    more = make_plan(spec(sovits__save_every_epochs=1), clips(110), PlanDevice(cores=2)).stages[0]
    assert more.saves == 8 and more.seconds - sovits.seconds == pytest.approx(
        more.saving_seconds - sovits.saving_seconds
    )
    again = make_plan(spec(), clips(110), PlanDevice(cores=2), prepared=True)
    assert again.seconds < made.seconds, "what is prepared is not prepared again"


def test_memory_is_that_of_the_process_and_its_encoders() -> None:
    device = PlanDevice(cores=2)
    japanese = make_plan(spec(), clips(110), device)
    chinese = make_plan(spec(), [PlanClip(5, 50, chinese=True)] * 110, device)
    stage = max(one.memory for one in japanese.stages)
    assert stage + GIB // 2 < japanese.memory < chinese.memory
    batches = {"sovits__batch_size": 4, "gpt__batch_size": 4}
    cpu, card = (make_plan(spec(**batches), clips(110), one).memory for one in (device, CARD))
    assert cpu > card, "Python lies in no GPU's memory"


def test_warnings_name_what_to_change() -> None:
    small = PlanDevice("NVIDIA T4", 4 * GIB, disk_free=GIB)
    made = make_plan(spec(sovits__batch_size=16, train__gpus="0-1"), clips(60, 0.9), small)
    assert [w.key.rsplit(".", 1)[1] for w in made.warnings] == [
        "little_audio",
        "one_gpu",
        "batch_repeats",
        "memory",
        "disk",
    ]


def test_each_stage_has_its_own_limits() -> None:
    odd = [PlanClip(0.5, 5), PlanClip(5, 50), PlanClip(5, 5), PlanClip(40, 400), PlanClip(60, 400)]
    assert [c.seconds for c in usable_clips("sovits", odd)] == [5, 5, 40]
    assert [c.seconds for c in usable_clips("gpt", odd)] == [0.5, 5, 40]


def test_longer_clips_need_more_memory_and_slower_cards_more_time() -> None:
    short, long = make_plan(spec(), clips(110), CARD), make_plan(spec(), clips(110, 12.0), CARD)
    assert long.memory > short.memory
    slow = PlanDevice("Tesla T4", 24 * GIB)
    assert make_plan(spec(), clips(110), slow).seconds > short.seconds
    assert make_plan(spec(), clips(110), PlanDevice(cores=2)).seconds > 10 * short.seconds


def test_the_laptop_plans_without_server_libraries() -> None:
    program = (
        "import sys, sovdeck.engine.contract.plan\n"
        "sys.exit(str({'torch', 'numpy'} & set(sys.modules) or 0) if "
        "{'torch', 'numpy'} & set(sys.modules) else 0)"
    )
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
