"""The training loss a weight was saved at, from the events of its run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sovdeck.engine.contract.events import MOST_KEPT, MOST_NAMES, Event


@dataclass(frozen=True)
class SavedLosses:
    """Losses by saved weight.

    `by_path`: by a file's path below the work folder, the mean loss of all updates of its stage
    since the save before. `pending`: by stage, the sum and number of losses not saved yet.
    """

    by_path: Mapping[str, float] = field(default_factory=dict)
    pending: Mapping[str, tuple[float, int]] = field(default_factory=dict)


def with_saved_losses(known: SavedLosses, events: Iterable[Event]) -> SavedLosses:
    """Return `known` after `events`, in order; a file written again unchanged keeps its loss."""
    by_path, pending = dict(known.by_path), dict(known.pending)
    for event in events:
        stage, path = event.stage or "", event.payload.get("path")
        if event.type == "step":
            loss = _total(event.payload["losses"])
            if loss is not None and (stage in pending or len(pending) < MOST_NAMES):
                total, count = pending.get(stage, (0.0, 0))
                pending[stage] = (total + loss, count + 1)
        elif event.type == "export" and event.payload["kind"] == stage and isinstance(path, str):
            total, count = pending.pop(stage, (0.0, 0))
            if count:
                by_path[path] = total / count
                if len(by_path) > MOST_KEPT:
                    del by_path[next(iter(by_path))]  # the oldest
    return SavedLosses(by_path, pending)


def _total(losses: object) -> float | None:
    value = losses.get("total") if isinstance(losses, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
