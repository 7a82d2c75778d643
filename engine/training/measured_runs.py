"""What was measured on this machine: rows of `bench`, and the work of runs that went before."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.bench_row import MAX_ROW_BYTES, BenchRow
from sovdeck.engine.contract.events import Event, parse_event
from sovdeck.engine.contract.foreign_values import to_number
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.measured import BENCH_CLIP_S, Measurement
from sovdeck.engine.contract.plan import TRAINING_STAGES
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.updates import GPT_ACCUMULATION_STEPS

_MAX_RUNS = 30  # the newest
_MAX_EVENT_BYTES = 4 << 20  # of one run; its first updates say as much as its last
_MAX_ROWS = 50
_FEWEST_UPDATES = 2
# What is told from time to time whatever is at work.
_BESIDE_WORK = frozenset({"memory", "warning"})


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
            yield from row.measurements


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
    work = _MeasuredWork(spec)
    with events.open("rb") as file:
        for line in file.read(_MAX_EVENT_BYTES).splitlines():
            event = parse_event(line)
            if event is None:
                continue
            if event.type == "run_started" and event.payload["device"].get("name") != device_name:
                return
            work.add(event)
    yield from work.measurements()


class _MeasuredWork:
    """What the events of one run say of the time its work took.

    An update takes what lies between two `step` events with nothing else between; so the first one
    of a process counts nowhere, which loads its data and reserves memory.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._sizes: dict[str, Mapping[str, Any]] = {}  # of a stage, as it started
        self._updates: dict[str, list[float]] = {}
        self._sentences: list[Measurement] = []
        self._prepared: list[Measurement] = []
        self._before: Event | None = None

    def add(self, event: Event) -> None:
        """Take the next event of the run."""
        if event.type in _BESIDE_WORK:
            return
        before, self._before = self._before, event
        stage, payload = event.stage or "", event.payload
        if event.type == "stage_started":
            self._sizes[stage] = payload
        elif event.type == "step" and before is not None and before.type == "step":
            if stage in TRAINING_STAGES and before.stage == stage:
                self._add_updates(before, event)
        elif event.type == "sample" and stage == "gpt" and before is not None:
            # The first sample of a process also loads what speaks it.
            if before.type == "sample" and before.stage == stage:
                taken = (event.t - before.t) / 1000
                self._sentences += self._piece("speech", taken, payload["seconds"])
        elif event.type == "stage_finished" and stage == "prepare":
            items, sound = payload.get("items"), payload.get("audio_seconds")
            if items and items == payload.get("redone"):  # else some of it was there already
                self._prepared += self._piece("prepare", payload["seconds"], sound)

    def measurements(self) -> Iterator[Measurement]:
        """All that was measured, the mean of each kind."""
        for stage, found in self._updates.items():
            sizes = self._sizes.get(stage, {})
            batch = sizes.get("batch")
            if not isinstance(batch, int) or len(found) < _FEWEST_UPDATES:
                continue
            # An older version did not say these.
            assumed = GPT_ACCUMULATION_STEPS if stage == "gpt" else 1
            parts = to_number(sizes.get("micro_batches")) or float(assumed)
            clip_seconds = to_number(sizes.get("clip_seconds")) or BENCH_CLIP_S
            yield Measurement(
                stage,
                self._spec.preset,
                batch,
                statistics.median(found),
                self._spec.run,
                parts,
                clip_seconds,
            )
        yield from self._prepared
        yield from self._sentences

    def _add_updates(self, before: Event, event: Event) -> None:
        updates = (to_number(event.payload["step"]) or 0) - (to_number(before.payload["step"]) or 0)
        if updates > 0 and event.t > before.t:
            taken = (event.t - before.t) / 1000 / updates
            self._updates.setdefault(event.stage or "", []).append(taken)

    def _piece(self, work: str, seconds: Any, sound: Any) -> list[Measurement]:
        taken, length = to_number(seconds), to_number(sound)
        if not taken or not length or taken <= 0 or length <= 0:
            return []
        return [Measurement(work, self._spec.preset, 1, taken, self._spec.run, 1.0, length)]


def _parse(line: bytes) -> object:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found
