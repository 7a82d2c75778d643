"""Check the clips of a list: what stays, what goes and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.contract.dataset.clip import ClipFacts, fault_of, notes_of
from engine.contract.dataset.items import Item, Manifest
from engine.contract.problem import ExitCode, Problem

# None: this reader does not know the format (the laptop reads WAV only); a Problem: damaged.
Measure = Callable[[Path], ClipFacts | None]


@dataclass(frozen=True)
class Checked:
    """A manifest of clips that can be trained on, and what each measured (by item name)."""

    manifest: Manifest
    facts: dict[str, ClipFacts]


def check_clips(manifest: Manifest, measure: Measure) -> Checked:
    """Measure every clip of `manifest`; clips with faults move to its problems."""
    items: list[Item] = []
    facts: dict[str, ClipFacts] = {}
    problems, notes = list(manifest.problems), list(manifest.notes)
    for item in manifest.items:
        try:
            measured = measure(item.wav)
        except Problem as problem:
            problems.append(_unreadable(manifest.source, item, problem))
            continue
        if measured is not None:
            fault = fault_of(manifest.source, item, measured)
            if fault is not None:
                problems.append(fault)
                continue
            notes.extend(notes_of(manifest.source, item, measured))
            facts[item.name] = measured
        items.append(item)
    sound = Manifest(manifest.source, tuple(items), tuple(problems), tuple(notes))
    return Checked(sound, facts)


def _unreadable(source: Path, item: Item, problem: Problem) -> Problem:
    why = problem.facts.get("why", problem.message.en)
    return Problem(
        "engine.data.unreadable", ExitCode.DATA,
        file=source.name, line=item.line, name=item.name, why=why,
    )  # fmt: skip
