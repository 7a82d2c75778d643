"""The plan of a run on this machine: the pure arithmetic with this dataset and this device."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from engine.contract.layout import Layout
from engine.contract.plan import Plan, PlanClip, PlanDevice, plan
from engine.contract.spec import RunSpec
from engine.prepare.manifest import check_list
from engine.prepare.sources import list_file, wav_folder
from engine.runtime.device import choose
from engine.training.features import read_features


def plan_run(
    spec: RunSpec, layout: Layout, *, price_per_hour: float | None = None, currency: str = ""
) -> Plan:
    """Plan `spec` for the clips below `layout` and the device it would run on.

    Prepared features are exact; without them the list is read and its clips are measured.
    Problem when neither is there.
    """
    return plan(spec, clips_of(spec, layout), device_of(spec, layout, price_per_hour, currency))


def clips_of(spec: RunSpec, layout: Layout) -> list[PlanClip]:
    """Lengths of the usable clips, with phone counts where they were prepared."""
    folder = Path(layout.features(spec.voice))
    if (folder / "6-name2semantic.tsv").is_file():
        return [PlanClip(clip.seconds, len(clip.phones)) for clip in read_features(folder).clips]
    checked = check_list(list_file(spec, layout), wav_folder(spec, layout))
    return [PlanClip(facts.seconds) for facts in checked.facts.values()]


def device_of(
    spec: RunSpec, layout: Layout, price_per_hour: float | None = None, currency: str = ""
) -> PlanDevice:
    """Facts of this machine."""
    device = choose(spec.value("train.device"))
    work = Path(layout.work)
    existing = next(folder for folder in (work, *work.absolute().parents) if folder.exists())
    return PlanDevice(
        card=device.name if device.kind == "cuda" else None,
        memory=device.memory_total,
        cores=os.cpu_count() or 1,
        disk_free=shutil.disk_usage(existing).free,
        price_per_hour=price_per_hour,
        currency=currency,
    )
