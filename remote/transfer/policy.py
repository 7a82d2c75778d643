"""What to pull while a training runs, and when the server may be switched off. Pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from engine.contract.fold import RunState


class When(Enum):
    """Which saves come home while a run goes on: each, only the best so far, or none."""

    EACH_SAVE = "each"
    BEST = "best"
    NEVER = "off"


@dataclass(frozen=True)
class Save:
    """One finished file on the server, below the work folder.

    `version` tells one content of a path from another. `score`: lower is better; None where
    nothing was validated. A file of no `kind` is small and goes with everything.
    """

    path: str
    version: str
    kind: str = ""
    score: float | None = None


Here = Mapping[str, str]  # path -> the version that is here, compared with the server's


def scores(state: RunState) -> dict[str, float]:
    """What the held-out clips said of each exported file, by its path below the work folder."""
    judged: dict[tuple[Any, Any], float] = {}
    for event in state.validations:
        metrics, epoch = event.payload["metrics"], event.payload["epoch"]
        values = metrics.values() if isinstance(metrics, dict) else ()
        first = next(iter(values), None)
        if isinstance(first, (int, float)) and isinstance(epoch, int):
            judged[event.stage, epoch] = float(first)
    found = {}
    for export in state.exports:
        path, kind, epoch = export["path"], export["kind"], export.get("epoch")
        known = isinstance(kind, str) and isinstance(epoch, int)
        score = judged.get((kind, epoch)) if known else None
        if isinstance(path, str) and score is not None:
            found[path] = score
    return found


def to_pull(when: When, saves: Sequence[Save], here: Here) -> tuple[Save, ...]:
    """Which of `saves` (oldest first) to fetch now; a file written again counts as new."""
    if when is When.NEVER:
        return ()
    wanted = _best(saves) if when is When.BEST else saves
    return tuple(one for one in wanted if here.get(one.path) != one.version)


@dataclass(frozen=True)
class SwitchOff:
    """Whether nothing would be lost with the server. `missing` are paths not verified here."""

    safe: bool
    missing: tuple[str, ...]
    running: bool


def safe_to_switch_off(named: Iterable[Save], here: Here, *, running: bool) -> SwitchOff:
    """Only when no run goes on, something was named, and all of it is here and verified."""
    saves = list(named)
    missing = tuple(one.path for one in saves if here.get(one.path) != one.version)
    return SwitchOff(bool(saves) and not missing and not running, missing, running)


def _best(saves: Sequence[Save]) -> tuple[Save, ...]:
    """Of each kind the one with the best score; the newest where none was validated."""
    chosen: dict[str, Save] = {}
    for one in saves:
        before = chosen.get(one.kind)
        if before is None or before.score is None or one.score is None:
            better = before is None or one.score is not None or before.score is None
        else:
            better = one.score <= before.score
        if better:
            chosen[one.kind] = one
    return tuple(one for one in saves if not one.kind or chosen[one.kind] is one)
