"""What to pull while a training runs, and when the server may be switched off. Pure decisions.

Works on exports as events tell them: path below the work folder, kind, bytes, SHA-256, and the
validation metric of the save they belong to, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class When(Enum):
    """When files come home: at every save, only the best so far, at the end, or when asked."""

    EACH_SAVE = "each-save"
    BEST = "best"
    END = "end"
    NEVER = "never"


@dataclass(frozen=True)
class Export:
    """One finished file on the server. `score`: lower is better; None when not validated."""

    path: str
    kind: str
    bytes: int
    sha256: str
    score: float | None = None

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Export | None:
        """An export event's payload; None when it is not one (it comes from a server)."""
        path, kind = payload.get("path"), payload.get("kind")
        size, sha256 = payload.get("bytes"), payload.get("sha256")
        sound = isinstance(path, str) and isinstance(kind, str) and isinstance(sha256, str)
        if not sound or not isinstance(size, int) or isinstance(size, bool):
            return None
        score = payload.get("score")
        number = isinstance(score, (int, float)) and not isinstance(score, bool)
        return cls(str(path), str(kind), size, str(sha256), float(score) if number else None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Here:
    """A file on this computer whose SHA-256 was compared with the server's."""

    path: str
    sha256: str


def to_pull(
    when: When, exports: Sequence[Export], here: Iterable[Here], *, finished: bool
) -> tuple[Export, ...]:
    """Which exports to fetch now, oldest first; a file written again counts as new.

    `finished`: the run has ended, so that `END` and a pack that replaces parts are due.
    """
    if when is When.NEVER or (when is When.END and not finished):
        return ()
    newest = _newest(exports)
    wanted = _best(newest) if when is When.BEST and not finished else newest
    have = {(one.path, one.sha256) for one in here}
    return tuple(one for one in wanted if (one.path, one.sha256) not in have)


@dataclass(frozen=True)
class SwitchOff:
    """Whether nothing would be lost with the server. `missing` are paths not verified here."""

    safe: bool
    missing: tuple[str, ...]
    running: bool


def safe_to_switch_off(
    named: Sequence[Export], here: Iterable[Here], *, running: bool
) -> SwitchOff:
    """Only when no run goes on, something was named, and all of it is here and verified."""
    have = {(one.path, one.sha256) for one in here}
    missing = tuple(one.path for one in _newest(named) if (one.path, one.sha256) not in have)
    return SwitchOff(bool(named) and not missing and not running, missing, running)


def _newest(exports: Sequence[Export]) -> tuple[Export, ...]:
    """The last word on each path, in the order in which those were said."""
    last = {one.path: number for number, one in enumerate(exports)}
    return tuple(one for number, one in enumerate(exports) if last[one.path] == number)


def _best(exports: Sequence[Export]) -> tuple[Export, ...]:
    """Of each kind the one with the best score; the newest where none was validated."""
    chosen: dict[str, Export] = {}
    for one in exports:
        before = chosen.get(one.kind)
        if before is None or before.score is None or one.score is None:
            better = before is None or one.score is not None or before.score is None
        else:
            better = one.score <= before.score
        if better:
            chosen[one.kind] = one
    return tuple(one for one in exports if chosen[one.kind] == one)
