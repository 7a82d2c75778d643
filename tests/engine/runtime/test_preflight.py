"""A run without recordings or without free space says so before anything is built."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from sovdeck.engine.contract.events import Event, parse_event
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs.preflight import check_prepared, examine_run, run_preflight
from sovdeck.engine.runs.run import execute_run
from sovdeck.engine.runtime import device
from sovdeck.engine.training import plan

Usage = namedtuple("Usage", "total used free")


TWELVE = tuple(f"{number}.wav" for number in range(12))


def spec_of(preset: str = "v2", **params: ParamValue) -> RunSpec:
    return RunSpec("one", "Mei", preset, params={"train.device": "cpu", **params})


def write_list(work: Path, *lines: str) -> None:
    folder = work / "data" / "Mei"
    (folder / "wavs").mkdir(parents=True, exist_ok=True)
    for name in ("a.wav", *TWELVE):
        soundfile.write(folder / "wavs" / name, np.zeros(32000 * 4, np.float32), 32000)
    (folder / "Mei.list").write_text("\n".join(lines), encoding="utf-8")


def run_events(work: Path, spec: RunSpec) -> list[Event]:
    path = work / "runs" / "one" / "spec.json"
    path.parent.mkdir(parents=True)
    path.write_text(spec.to_json(), encoding="utf-8")
    execute_run(path)
    lines = (path.parent / "events.jsonl").read_bytes().splitlines()
    return [event for line in lines if (event := parse_event(line))]


def test_a_full_size_run_without_data_builds_nothing(tmp_path: Path) -> None:
    seen = run_events(tmp_path, spec_of())
    assert "stage_started" not in {event.type for event in seen}
    assert [event.payload["code"] for event in seen if event.type == "error"] == [
        "engine.data.nothing_pushed"
    ]
    assert seen[-1].payload["exit_code"] == 3
    assert not (tmp_path / "logs").exists()


def test_a_name_in_another_case_is_told_from_those_that_were_pushed(tmp_path: Path) -> None:
    write_list(tmp_path, *(f"{name}|Mei|ja|はい。" for name in TWELVE))
    with pytest.raises(Problem) as caught:
        run_preflight(replace(spec_of(), voice="mei"), Layout.at(str(tmp_path)))
    assert caught.value.key == "engine.data.no_dataset"
    assert "there are: Mei" in caught.value.sentence("en")
    assert "sovdeck push SERVER --voice mei" in caught.value.sentence("zh")


def test_a_list_of_nothing_usable_is_said_first(tmp_path: Path) -> None:
    write_list(tmp_path, "gone.wav|Mei|ja|はい。", "a.wav|Mei|xx|はい。")
    with pytest.raises(Problem) as caught:
        run_preflight(spec_of(), Layout.at(str(tmp_path)))
    assert caught.value.key == "engine.data.nothing_left"


def test_a_run_that_would_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, *(f"{name}|Mei|ja|はい。" for name in TWELVE))
    layout = Layout.at(str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9 << 30, 0, 1 << 30))
    run_preflight(spec_of("tiny"), layout)
    with pytest.raises(Problem) as caught:
        run_preflight(spec_of(), layout)
    assert caught.value.key == "engine.run.disk_low" and "1.0 GiB" in caught.value.message.en
    # What this voice already takes there is no new need.
    state = Path(layout.features("Mei")) / "states" / "old"
    state.parent.mkdir(parents=True)
    with state.open("wb") as file:
        file.truncate(9 << 30)
    run_preflight(spec_of(), layout)


def test_everything_in_the_way_is_found_before_the_start(tmp_path: Path) -> None:
    layout = Layout.at(str(tmp_path))
    spec = replace(spec_of("v2"), pretrained="v2", params={"gpt.batch_size": 40})
    assert [problem.key for problem in examine_run(spec, layout).problems] == [
        "engine.training.no_pretrained",
        "engine.data.nothing_pushed",
    ]
    write_list(tmp_path, *(f"{name}|Mei|ja|はい。" for name in TWELVE))
    problems = examine_run(spec, layout).problems
    assert [problem.key for problem in problems][1] == "engine.plan.no_updates"
    assert "gpt.batch_size" in problems[1].sentence("en")


def test_a_gpu_that_torch_cannot_see_is_no_reason_for_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, *(f"{name}|Mei|ja|はい。" for name in TWELVE))
    layout = Layout.at(str(tmp_path))
    anywhere = replace(spec_of("tiny"), params={})
    assert examine_run(anywhere, layout).problems == ()
    monkeypatch.setattr(device, "count_gpus", lambda: 1)
    problems = examine_run(anywhere, layout).problems
    assert [one.key for one in problems] == ["engine.run.gpu_unseen"]
    assert examine_run(spec_of("tiny"), layout).problems == ()


def test_what_only_deserves_a_thought_is_a_warning(tmp_path: Path) -> None:
    layout = Layout.at(str(tmp_path))
    write_list(tmp_path, *(f"{name}|Mei|ja|はい。" for name in TWELVE))
    found = examine_run(spec_of("tiny"), layout)
    assert found.problems == ()
    assert [one.key for one in found.warnings] == ["engine.plan.little_audio"]
    # Of bare recordings nothing is known yet, not even that they are few.
    (tmp_path / "data" / "Mei" / "Mei.list").unlink()
    assert examine_run(spec_of("tiny"), layout).warnings == ()


def test_clips_that_gpt_leaves_out_are_said_before_sovits_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout.at(str(tmp_path))
    check_prepared(spec_of(), layout)  # nothing was prepared: nothing to say
    clip = namedtuple("clip", "seconds phones bert", defaults=(None,))
    clips = [clip(4.0, range(40))] * 3 + [clip(4.0, range(2))] * 9  # too few phones for 4 s
    monkeypatch.setattr(plan, "read_features", lambda folder: SimpleNamespace(clips=clips))
    (Path(layout.features("Mei"))).mkdir(parents=True)
    (Path(layout.features("Mei")) / "6-name2semantic.tsv").touch()
    with pytest.raises(Problem) as caught:
        check_prepared(spec_of("tiny", **{"gpt.batch_size": 4}), layout)
    assert caught.value.facts["stage"] == "gpt"
    assert caught.value.facts["parameter"] == "gpt.batch_size"
    check_prepared(spec_of("tiny", **{"gpt.batch_size": 1}), layout)
