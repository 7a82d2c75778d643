"""Decides what to download while a training runs, and when a server may be switched off. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sovdeck.engine.contract.fold import RunState


class SyncPolicy(Enum):
    """Which checkpoints to download while a run goes on: each, only the best so far, or none."""

    EACH_CHECKPOINT = "each"
    BEST = "best"
    NEVER = "off"


@dataclass(frozen=True)
class Checkpoint:
    """One finished file on the server, below the work folder.

    `version` tells one content of a path from another. `score`: lower is better; None where
    nothing was validated. A file of no `kind` is small and goes with everything.
    """

    path: str
    version: str
    kind: str = ""
    score: float | None = None


LocalVersions = Mapping[str, str]  # path on the server -> the version whose verified copy is here


def validation_scores(state: RunState) -> dict[str, float]:
    """The validation loss of each exported file, by its path below the work folder."""
    by_epoch: dict[tuple[Any, Any], float] = {}
    for event in state.validations:
        metrics, epoch = event.payload["metrics"], event.payload["epoch"]
        values = metrics.values() if isinstance(metrics, dict) else ()
        first = next(iter(values), None)
        if isinstance(first, (int, float)) and isinstance(epoch, int):
            by_epoch[event.stage, epoch] = float(first)
    found = {}
    for export in state.exports:
        path, kind, epoch = export["path"], export["kind"], export.get("epoch")
        known = isinstance(kind, str) and isinstance(epoch, int)
        score = by_epoch.get((kind, epoch)) if known else None
        if isinstance(path, str) and score is not None:
            found[path] = score
    return found


def select_new(
    policy: SyncPolicy, checkpoints: Sequence[Checkpoint], local_versions: LocalVersions
) -> tuple[Checkpoint, ...]:
    """Which of `checkpoints` (oldest first) to download now; a file written again is new."""
    if policy is SyncPolicy.NEVER:
        return ()
    wanted = _best_by_kind(checkpoints) if policy is SyncPolicy.BEST else checkpoints
    return tuple(one for one in wanted if local_versions.get(one.path) != one.version)


@dataclass(frozen=True)
class SwitchOffCheck:
    """Whether nothing would be lost with the server.

    missing: paths of checkpoints without a verified copy here. running: whether a run goes on.
    """

    safe: bool
    missing: tuple[str, ...]
    running: bool


def check_switch_off(
    selected: Iterable[Checkpoint], local_versions: LocalVersions, *, running: bool
) -> SwitchOffCheck:
    """Safe when no run goes on, something was selected, and all of it is here and verified."""
    checkpoints = list(selected)
    missing = tuple(one.path for one in checkpoints if local_versions.get(one.path) != one.version)
    return SwitchOffCheck(bool(checkpoints) and not missing and not running, missing, running)


def _best_by_kind(checkpoints: Sequence[Checkpoint]) -> tuple[Checkpoint, ...]:
    """Of each kind the one with the best score; the newest where none was validated."""
    chosen: dict[str, Checkpoint] = {}
    for one in checkpoints:
        before = chosen.get(one.kind)
        if before is None or before.score is None or one.score is None:
            better = before is None or one.score is not None or before.score is None
        else:
            better = one.score <= before.score
        if better:
            chosen[one.kind] = one
    return tuple(one for one in checkpoints if not one.kind or chosen[one.kind] is one)
