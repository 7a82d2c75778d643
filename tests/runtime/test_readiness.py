"""A run without recordings or without room says so before anything is built."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.contract.events import Event, parse
from engine.contract.layout import Layout
from engine.contract.problem import Problem
from engine.contract.spec import RunSpec
from engine.readiness import check_ready
from engine.run import execute

Usage = namedtuple("Usage", "total used free")


def spec_of(preset: str = "v2", **params: object) -> RunSpec:
    return RunSpec("one", "Mei", preset, params={"train.device": "cpu", **params})


def write_list(work: Path, *lines: str) -> None:
    folder = work / "data" / "Mei"
    (folder / "wavs").mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "wavs" / "a.wav", np.zeros(32000 * 4, np.float32), 32000)
    (folder / "Mei.list").write_text("\n".join(lines), encoding="utf-8")


def run_events(work: Path, spec: RunSpec) -> list[Event]:
    path = work / "runs" / "one" / "spec.json"
    path.parent.mkdir(parents=True)
    path.write_text(spec.to_json(), encoding="utf-8")
    execute(path)
    lines = (path.parent / "events.jsonl").read_bytes().splitlines()
    return [event for line in lines if (event := parse(line))]


def test_a_full_size_run_without_data_builds_nothing(tmp_path: Path) -> None:
    seen = run_events(tmp_path, spec_of())
    assert "stage_started" not in {event.type for event in seen}
    assert [event.payload["code"] for event in seen if event.type == "error"] == [
        "engine.data.no_list"
    ]
    assert seen[-1].payload["exit_code"] == 3
    assert not (tmp_path / "logs").exists()


def test_a_list_of_nothing_usable_is_said_first(tmp_path: Path) -> None:
    write_list(tmp_path, "gone.wav|Mei|ja|はい。", "a.wav|Mei|xx|はい。")
    with pytest.raises(Problem) as caught:
        check_ready(spec_of(), Layout.at(str(tmp_path)))
    assert caught.value.key == "engine.data.nothing_left"


def test_a_run_that_would_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, "a.wav|Mei|ja|はい。")
    layout = Layout.at(str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9 << 30, 0, 1 << 30))
    check_ready(spec_of("tiny"), layout)
    with pytest.raises(Problem) as caught:
        check_ready(spec_of(), layout)
    assert caught.value.key == "engine.run.disk_low" and "1.0 GiB" in caught.value.message.en
    # What this voice already takes there is no new need.
    state = Path(layout.features("Mei")) / "states" / "old"
    state.parent.mkdir(parents=True)
    with state.open("wb") as file:
        file.truncate(9 << 30)
    check_ready(spec_of(), layout)
