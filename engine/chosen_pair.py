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


def read_choice(features: Path) -> tuple[str, str] | None:
    """The names of both files (GPT, SoVITS), where a choice was made."""
    note = features / _FILE
    if not note.is_file():
        return None
    names = json.loads(note.read_text(encoding="utf-8"))
    return str(names["gpt"]), str(names["sovits"])


def preferred(features: Path, weights: Sequence[Path]) -> Path:
    """The chosen one of `weights` (oldest epoch first, not empty), else the last.

    A choice made before the newest of them was trained no longer counts: that one was not
    in the audition.
    """
    names = read_choice(features)
    if names is None:
        return weights[-1]
    made = (features / _FILE).stat().st_mtime
    found = [path for path in weights if path.name in names]
    fresh = all(path.stat().st_mtime <= made for path in weights)
    return found[0] if found and fresh else weights[-1]
