"""The `plan` event of a run; totals become exact with `stage_started`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.plan import RunPlan
from sovdeck.engine.contract.spec import RunSpec

_SINGLE = {"proof": "sentences", "pack": "files"}


def plan_stages(spec: RunSpec, layout: Layout) -> list[dict[str, Any]]:
    """One entry a stage: name, total (0: not known yet), unit, epochs."""
    clips = count_listed_clips(spec, layout)
    plan = []
    for name in spec.stages:
        entry: dict[str, Any] = {"name": name, "total": 1, "unit": _SINGLE.get(name, "updates")}
        if name == "prepare":
            entry |= {"total": clips, "unit": "items"}
        elif name in ("sovits", "gpt"):
            entry |= {"total": 0, "epochs": spec.settings.stage(name).epochs}
        plan.append(entry)
    return plan


def plan_figures(plan: RunPlan, stages: Sequence[str]) -> dict[str, Any]:
    """The `plan` event of a run whose clips are known: seconds of each stage, memory, disk."""
    trained = {stage.name: stage for stage in plan.stages}
    entries = []
    for name in stages:
        entry: dict[str, Any] = {"name": name, "seconds": plan.stage_seconds()[name]}
        if name == "prepare":
            entry |= {"total": plan.clips, "unit": "items"}
        elif name in trained:
            entry |= {"total": trained[name].updates, "epochs": trained[name].epochs}
        else:
            entry |= {"total": 1, "unit": _SINGLE[name]}
        entries.append(entry)
    return {
        "stages": entries,
        "seconds": plan.seconds,
        "memory": plan.memory,
        "disk": plan.disk,
    }


def count_listed_clips(spec: RunSpec, layout: Layout) -> int:
    """Number of clips in the voice's list; 0 without one, which the prepare stage then reports."""
    path = Path(layout.work / spec.list_file) if spec.list_file else None
    path = path or Path(layout.dataset(spec.voice) / f"{spec.voice}.list")
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
