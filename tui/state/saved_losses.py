"""The training loss a weight was saved at: a run's events tell it, a list of files does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.contract.events import Event


@dataclass(frozen=True)
class SavedLosses:
    """`at`: by a file's path below the work folder, the mean loss of all updates of its stage
    since the save before. `since`: by stage, the sum and number of those not saved yet.
    """

    at: Mapping[str, float] = field(default_factory=dict)
    since: Mapping[str, tuple[float, int]] = field(default_factory=dict)


def with_saves(known: SavedLosses, events: Iterable[Event]) -> SavedLosses:
    """Return `known` after `events`, in order; a file written again unchanged keeps its loss."""
    at, since = dict(known.at), dict(known.since)
    for event in events:
        stage, path = event.stage or "", event.payload.get("path")
        if event.type == "step":
            loss = _total(event.payload["losses"])
            if loss is not None:
                total, count = since.get(stage, (0.0, 0))
                since[stage] = (total + loss, count + 1)
        elif event.type == "export" and event.payload["kind"] == stage and isinstance(path, str):
            total, count = since.pop(stage, (0.0, 0))
            if count:
                at[path] = total / count
    return SavedLosses(at, since)


def _total(losses: object) -> float | None:
    value = losses.get("total") if isinstance(losses, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
