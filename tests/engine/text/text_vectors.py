"""Reading of the compat vectors and the measure the issue sets: phone error by edits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "data" / "vectors"


def items(name: str) -> list[dict[str, Any]]:
    path = FOLDER / name
    loaded: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["items"]
    return loaded


def edits(got: Sequence[str], wanted: Sequence[str]) -> int:
    """Levenshtein distance: insertions, deletions and replacements."""
    row = list(range(len(wanted) + 1))
    for i, left in enumerate(got, 1):
        following = [i]
        for j, right in enumerate(wanted, 1):
            change = row[j - 1] + (left != right)
            following.append(min(following[-1] + 1, row[j] + 1, change))
        row = following
    return row[-1]


class Score:
    """Edits over all items, and what differed, for the test's output."""

    def __init__(self) -> None:
        self.edits = self.total = 0
        self.lines: list[str] = []

    def add(self, text: str, got: Sequence[str], wanted: Sequence[str]) -> None:
        distance = edits(got, wanted)
        self.edits += distance
        self.total += len(wanted)
        if distance:
            self.lines.append(f"{text}\n   want {' '.join(wanted)}\n   got  {' '.join(got)}")

    @property
    def error(self) -> float:
        return self.edits / self.total

    def report(self, title: str) -> str:
        head = f"{title}: {self.edits} of {self.total} phones differ ({self.error:.2%})"
        return "\n".join([head, *self.lines])
