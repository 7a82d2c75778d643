"""Diagnoses as lines of a short list: a mark, what was found, and below it what to do."""

from __future__ import annotations

from collections.abc import Sequence

from sovdeck.remote.probe.diagnosis import Diagnosis
from sovdeck.tui.cli.console import Console

_MARKS = {"good": "\u2713", "bad": "\u2717", "warning": "!", "note": "\u00b7"}


def print_diagnoses(diagnoses: Sequence[Diagnosis], console: Console) -> None:
    """Print each diagnosis; nothing in JSON mode."""
    for diagnosis in diagnoses:
        console.print_line(f"{_MARKS[diagnosis.level]} {diagnosis.message.get(console.language)}")
        if advice := diagnosis.hint.get(console.language):
            console.print_line(f"    {advice}")
