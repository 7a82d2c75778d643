"""What `plan` learns from rows of `bench` and from the events of earlier runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.bench.bench import keep_row
from sovdeck.engine.contract.bench_row import BenchRow
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.training.measured_runs import read_measurements


def write_run(work: Path, run: str, device: str, told: list[tuple[Any, ...]]) -> None:
    """A run whose events are `told`: seconds since the one before, type, stage, payload."""
    folder = work / "runs" / run
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(RunSpec(run, "Mei", "v2Pro").to_json())
    started = {
        "voice": "Mei",
        "stages": ["gpt"],
        "device": {"kind": "cuda", "name": device, "memory_total": 1},
        "engine": "1",
    }
    lines, now = [Event(0, 0, run, "run_started", payload=started).to_json()], 0.0
    for number, (seconds, kind, stage, payload) in enumerate(told, 1):
        now += seconds
        lines.append(Event(number, round(now * 1000), run, kind, 1, stage, payload).to_json())
    (folder / "events.jsonl").write_text("\n".join([*lines, "torn {"]) + "\n")


def began(**sizes: Any) -> tuple[Any, ...]:
    return 1.0, "stage_started", "gpt", {"total": 9, "unit": "updates", "batch": 6, **sizes}


def step(seconds: float, number: int) -> tuple[Any, ...]:
    return seconds, "step", "gpt", {"step": number, "total": 9, "losses": {}}


SAVE = {"path": "states/gpt/step-00000003", "epoch": 1, "step": 3}


def test_runs_on_the_same_device_are_measurements(tmp_path: Path) -> None:
    told = [began(), *(step(10.0 if n == 1 else 0.5, n) for n in range(1, 5))]
    write_run(tmp_path, "one", "RTX 4090", told)
    write_run(tmp_path, "other-card", "T4", told)
    write_run(tmp_path, "too-short", "RTX 4090", told[:3])
    (tmp_path / "runs/one/torn").mkdir()
    (found,) = read_measurements(Layout.at(tmp_path.as_posix()), "RTX 4090")
    # The first update holds the loading of everything. Nothing says what the updates consisted of.
    assert found == Measurement("gpt", "v2Pro", 6, 0.5, "one", 4.0, 5.0)


def test_a_measured_update_says_what_it_consisted_of(tmp_path: Path) -> None:
    told = [began(micro_batches=1.75, clip_seconds=3.4), *(step(2.0, n) for n in range(1, 5))]
    write_run(tmp_path, "small", "CPU", told)
    (found,) = read_measurements(Layout.at(tmp_path.as_posix()), "CPU")
    assert (found.micro_batches, found.clip_seconds) == (1.75, 3.4)


def test_saves_between_two_updates_are_no_part_of_them(tmp_path: Path) -> None:
    """Neither is what follows a resume; what tells of memory meanwhile changes nothing."""
    memory = {"source": "psutil"}
    told = [
        began(),
        step(9.0, 1),
        step(2.0, 2),
        (0.5, "memory", None, memory),
        step(1.5, 3),
        (0.1, "epoch", "gpt", {"epoch": 1, "epochs": 2}),
        (30.0, "checkpoint", "gpt", SAVE),
        step(2.0, 4),
        step(2.0, 5),
    ]
    write_run(tmp_path, "saves", "CPU", told)
    (found,) = read_measurements(Layout.at(tmp_path.as_posix()), "CPU")
    assert found.seconds == 2.0


def test_updates_told_ten_at_a_time_are_counted(tmp_path: Path) -> None:
    write_run(tmp_path, "tens", "CPU", [began(), *(step(20.0, 10 * n) for n in range(1, 5))])
    (found,) = read_measurements(Layout.at(tmp_path.as_posix()), "CPU")
    assert found.seconds == 2.0


def test_sentences_and_prepared_recordings_are_measurements(tmp_path: Path) -> None:
    def sample(seconds: float, sound: float) -> tuple[Any, ...]:
        return seconds, "sample", "gpt", {"path": "a.wav", "text": "a", "seconds": sound}

    def prepared(redone: int) -> tuple[Any, ...]:
        facts = {"updates": 0, "seconds": 31.0, "items": 7, "redone": redone}
        return 31.0, "stage_finished", "prepare", {**facts, "audio_seconds": 24.0}

    told = [prepared(7), began(), (5.0, "checkpoint", "gpt", SAVE)]
    told += [sample(9.0, 4.0), sample(3.0, 4.0), sample(6.0, 8.0), prepared(2)]
    write_run(tmp_path, "spoke", "CPU", told)
    found = read_measurements(Layout.at(tmp_path.as_posix()), "CPU")
    # The first sample also loaded what speaks it; a stage that found features ready says nothing.
    assert [(one.stage, one.seconds, one.clip_seconds) for one in found] == [
        ("prepare", 31.0, 24.0),
        ("speech", 3.0, 4.0),
        ("speech", 6.0, 8.0),
    ]


def test_rows_of_the_same_device_are_measurements(tmp_path: Path) -> None:
    layout = Layout.at(tmp_path.as_posix())
    for name, seconds in (("RTX 4090", 0.25), ("T4", 1.0)):
        machine = {"device": name, "device_kind": "cuda"}
        updates = (Measurement("sovits", "v2", 4, seconds),)
        keep_row(BenchRow(1, "full", machine, (), updates), Path(layout.bench_rows))
    with Path(layout.bench_rows).open("a") as file:
        file.write("no row\n" + json.dumps({"v": 1}) + "\n")
    (found,) = read_measurements(layout, "RTX 4090")
    assert found.seconds == pytest.approx(0.25) and found.source == "bench"


def test_without_anything_nothing_is_known(tmp_path: Path) -> None:
    assert read_measurements(Layout.at(tmp_path.as_posix()), "RTX 4090") == ()
