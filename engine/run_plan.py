"""What a run is going to do, said before it starts; totals become exact with `stage_started`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.contract.layout import Layout
from engine.contract.spec import RunSpec

_SINGLE = {"proof": "sentences", "pack": "files"}


def planned_stages(spec: RunSpec, layout: Layout) -> list[dict[str, Any]]:
    """One entry a stage: name, total (0: not known yet), unit, epochs."""
    clips = listed_clips(spec, layout)
    plan = []
    for name in spec.stages:
        entry: dict[str, Any] = {"name": name, "total": 1, "unit": _SINGLE.get(name, "updates")}
        if name == "prepare":
            entry |= {"total": clips, "unit": "items"}
        elif name in ("sovits", "gpt"):
            entry |= {"total": 0, "epochs": int(spec.value(f"{name}.epochs"))}
        plan.append(entry)
    return plan


def listed_clips(spec: RunSpec, layout: Layout) -> int:
    """Lines of the voice's list; 0 where there is none, which the prepare stage then explains."""
    path = Path(layout.work / spec.list_file) if spec.list_file else None
    path = path or Path(layout.dataset(spec.voice) / f"{spec.voice}.list")
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
