"""What `plan` learns from rows of `bench` and from the events of earlier runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sovdeck.engine.bench.bench import keep_row
from sovdeck.engine.contract.bench_row import BenchRow
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.training.measured_runs import read_measurements


def write_run(work: Path, run: str, device: str, rates: list[float]) -> None:
    folder = work / "runs" / run
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(RunSpec(run, "Mei", "v2Pro").to_json())
    started = {
        "voice": "Mei",
        "stages": ["gpt"],
        "device": {"kind": "cuda", "name": device, "memory_total": 1},
        "engine": "1",
    }
    events = [
        Event(0, 0, run, "run_started", payload=started),
        Event(1, 0, run, "stage_started", 1, "gpt", {"total": 9, "unit": "updates", "batch": 6}),
        *(
            Event(
                2 + n, 0, run, "step", 1, "gpt", {"step": n, "total": 9, "losses": {}, "rate": rate}
            )
            for n, rate in enumerate(rates)
        ),
    ]
    lines = [event.to_json() for event in events]
    (folder / "events.jsonl").write_text("\n".join([*lines, "torn {"]) + "\n")


def test_runs_on_the_same_device_are_measurements(tmp_path: Path) -> None:
    write_run(tmp_path, "one", "RTX 4090", [0.1, 2.0, 2.0, 2.0])
    write_run(tmp_path, "other-card", "T4", [1.0, 1.0, 1.0, 1.0])
    write_run(tmp_path, "too-short", "RTX 4090", [1.0])
    (tmp_path / "runs/one/torn").mkdir()
    (found,) = read_measurements(Layout.at(tmp_path.as_posix()), "RTX 4090")
    # The first reading holds the loading of everything.
    assert found == Measurement("gpt", "v2Pro", 6, 0.5, "one", 4.0)


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
