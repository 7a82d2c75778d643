"""Check the clips of a list: which can be trained on, and why others cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.dataset.clip import ClipMeasurement, find_clip_notes, find_clip_problem
from sovdeck.engine.contract.dataset.items import DatasetItem, DatasetManifest
from sovdeck.engine.contract.problem import ExitCode, Problem

# None: this reader does not know the format (the laptop reads WAV only); a Problem: damaged.
MeasureFile = Callable[[Path], ClipMeasurement | None]


@dataclass(frozen=True)
class CheckedDataset:
    """A manifest of clips that can be trained on, and their measurements by item name."""

    manifest: DatasetManifest
    measurements: dict[str, ClipMeasurement]


def check_clips(manifest: DatasetManifest, measure: MeasureFile) -> CheckedDataset:
    """Measure every clip of `manifest`; rejected clips move to its problems."""
    items: list[DatasetItem] = []
    measurements: dict[str, ClipMeasurement] = {}
    problems, notes = list(manifest.problems), list(manifest.notes)
    for item in manifest.items:
        try:
            measurement = measure(item.wav)
        except Problem as problem:
            problems.append(_unreadable(manifest.source, item, problem))
            continue
        if measurement is not None:
            rejection = find_clip_problem(manifest.source, item, measurement)
            if rejection is not None:
                problems.append(rejection)
                continue
            notes.extend(find_clip_notes(manifest.source, item, measurement))
            measurements[item.name] = measurement
        items.append(item)
    checked = DatasetManifest(manifest.source, tuple(items), tuple(problems), tuple(notes))
    return CheckedDataset(checked, measurements)


def _unreadable(source: Path, item: DatasetItem, problem: Problem) -> Problem:
    why = problem.facts.get("why", problem.message.en)
    return Problem(
        "engine.data.unreadable",
        ExitCode.DATA,
        file=source.name,
        line=item.line,
        name=item.name,
        why=why,
    )
