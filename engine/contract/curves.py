"""The loss curves of a run, by stage and loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sovdeck.engine.contract.events import MOST_NAMES
from sovdeck.engine.contract.fold import LossPoint
from sovdeck.engine.contract.series import LIMIT, Series

Curves = Mapping[str, Mapping[str, Series]]


def with_points(curves: Curves, points: Iterable[LossPoint], limit: int = LIMIT) -> Curves:
    """Return `curves` grown by `points`; stages and losses appear as they are first seen.

    At most MOST_NAMES of each: no engine of ours has as many. limit: how many points a new series
    keeps at most.
    """
    batches: dict[str, dict[str, list[tuple[float, float | None]]]] = {}
    for point in points:
        losses = batches.setdefault(point.stage, {})
        for name, value in point.losses.items():
            losses.setdefault(name, []).append((point.step, value))
    if not batches:
        return curves
    grown = {stage: dict(losses) for stage, losses in curves.items()}
    for stage, losses in batches.items():
        if stage not in grown and len(grown) >= MOST_NAMES:
            continue
        kept = grown.setdefault(stage, {})
        for name, batch in losses.items():
            if name not in kept and len(kept) >= MOST_NAMES:
                continue
            kept[name] = kept.get(name, Series(limit)).extended(batch)
    return grown
