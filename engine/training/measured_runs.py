"""What was measured on this machine: rows of `bench`, and updates of runs that went before."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

from sovdeck.engine.contract.bench_row import MAX_ROW_BYTES, BenchRow
from sovdeck.engine.contract.events import parse_event
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.updates import GPT_ACCUMULATION_STEPS

_MAX_RUNS = 30  # the newest
_MAX_EVENT_BYTES = 4 << 20  # of one run; its first updates say as much as its last
_MAX_ROWS = 50
_FEWEST_RATES = 2  # readings of a stage; the first one holds the loading of everything


def read_measurements(layout: Layout, device_name: str) -> tuple[Measurement, ...]:
    """Measurements on the device of this name: a machine's folder may have moved to another."""
    return (*_of_bench(layout, device_name), *_of_runs(layout, device_name))


def _of_bench(layout: Layout, device_name: str) -> Iterator[Measurement]:
    try:
        with Path(layout.bench_rows).open("rb") as file:
            lines = file.read(_MAX_ROWS * MAX_ROW_BYTES).splitlines()[-_MAX_ROWS:]
    except FileNotFoundError:
        return
    for line in lines:
        row = BenchRow.parse(_parse(line))
        if row is not None and row.machine.get("device") == device_name:
            yield from row.updates


def _of_runs(layout: Layout, device_name: str) -> Iterator[Measurement]:
    folders = sorted(
        (path.parent for path in Path(layout.work / "runs").glob("*/events.jsonl")),
        key=lambda folder: folder.stat().st_mtime,
    )
    for folder in folders[-_MAX_RUNS:]:
        try:
            spec = RunSpec.from_json((folder / "spec.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, Problem, ValueError, KeyError, TypeError):
            continue  # of another version of sovdeck, or broken off: nothing can be told of it
        yield from _of_run(folder / "events.jsonl", spec, device_name)


def _of_run(events: Path, spec: RunSpec, device_name: str) -> Iterator[Measurement]:
    batches: dict[str, int] = {}
    rates: dict[str, list[float]] = {}
    with events.open("rb") as file:
        for line in file.read(_MAX_EVENT_BYTES).splitlines():
            event = parse_event(line)
            if event is None:
                continue
            if event.type == "run_started" and event.payload["device"].get("name") != device_name:
                return
            stage, rate = event.stage or "", event.payload.get("rate")
            if event.type == "stage_started" and isinstance(event.payload.get("batch"), int):
                batches[stage] = event.payload["batch"]
            elif event.type == "step" and isinstance(rate, (int, float)) and rate > 0:
                rates.setdefault(stage, []).append(float(rate))
    for stage, found in rates.items():
        if stage in batches and len(found) > _FEWEST_RATES:
            # An update of the GPT is several batches; that a small set has fewer is not told here.
            parts = GPT_ACCUMULATION_STEPS if stage == "gpt" else 1
            seconds = 1 / statistics.median(found[1:])
            yield Measurement(stage, spec.preset, batches[stage], seconds, spec.run, float(parts))


def _parse(line: bytes) -> object:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found
