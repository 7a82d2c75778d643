"""The pair of weights a person settled on after an audition, kept as `logs/NAME/chosen.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engine.runtime.durable import write_atomic

_FILE = "chosen.json"


def write_choice(features: Path, gpt: str, sovits: str) -> None:
    """Remember the names of both files."""
    write_atomic(features / _FILE, json.dumps({"gpt": gpt, "sovits": sovits}).encode())


def preferred(features: Path, weights: Sequence[Path]) -> Path:
    """The chosen one of `weights` (oldest epoch first, not empty), else the last.

    A choice made before the newest of them was trained no longer counts: that one was not
    in the audition.
    """
    note = features / _FILE
    if not note.is_file():
        return weights[-1]
    made = note.stat().st_mtime
    names = set(json.loads(note.read_text(encoding="utf-8")).values())
    found = [path for path in weights if path.name in names]
    fresh = all(path.stat().st_mtime <= made for path in weights)
    return found[0] if found and fresh else weights[-1]
