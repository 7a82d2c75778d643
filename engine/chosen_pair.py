"""Which of a voice's weights speak: the pair a person settled on, else what was trained last.

`logs/NAME/chosen.json` holds what an audition came to, `trained.json` the last exports. Epochs
alone do not tell: a voice that was started over has older files with higher numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engine.runtime.durable import write_atomic

_FILE = "chosen.json"
_TRAINED = "trained.json"


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
    """The chosen one of `weights` (oldest epoch first, not empty), else the last trained.

    A choice made before the newest of them was trained no longer counts: that one was not
    in the audition.
    """
    names = read_choice(features)
    if names is None:
        return last_trained(features, weights)
    made = (features / _FILE).stat().st_mtime
    found = [path for path in weights if path.name in names]
    fresh = all(path.stat().st_mtime <= made for path in weights)
    return found[0] if found and fresh else last_trained(features, weights)


def write_trained(features: Path, stage: str, name: str) -> None:
    """Remember the file that training has just exported; `stage` is "gpt" or "sovits"."""
    write_atomic(features / _TRAINED, json.dumps({**_trained(features), stage: name}).encode())


def last_trained(features: Path, weights: Sequence[Path]) -> Path:
    """The one that training exported last; by epoch where nobody noted it."""
    names = _trained(features).values()
    return next((path for path in weights if path.name in names), weights[-1])


def _trained(features: Path) -> dict[str, str]:
    note = features / _TRAINED
    names: dict[str, str] = json.loads(note.read_text("utf-8")) if note.is_file() else {}
    return names
