"""The plan of a run on this machine: the pure arithmetic with this dataset and this device."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, RunPlan, make_plan, measured_clips
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.prepare.measured_list import check_list
from sovdeck.engine.prepare.sources import list_file, wav_folder
from sovdeck.engine.runtime.device import choose_device
from sovdeck.engine.training.features import read_features
from sovdeck.engine.training.measured_runs import read_measurements


def plan_run(
    spec: RunSpec, layout: Layout, *, price_per_hour: float | None = None, currency: str = ""
) -> RunPlan:
    """Plan `spec` for the clips below `layout` and the device it would run on.

    Prepared features are exact; without them the list is read and its clips are measured.
    Problem when neither is there.
    """
    return make_plan(
        spec,
        plan_clips(spec, layout),
        plan_device(spec, layout, price_per_hour, currency),
        prepared=has_features(spec, layout),
    )


def plan_clips(spec: RunSpec, layout: Layout) -> list[PlanClip]:
    """Lengths of the usable clips, with phone counts where they were prepared."""
    if has_features(spec, layout):
        features = read_features(Path(layout.features(spec.voice)))
        return [
            PlanClip(clip.seconds, len(clip.phones), clip.bert is not None)
            for clip in features.clips
        ]
    return measured_clips(check_list(list_file(spec, layout), wav_folder(spec, layout)))


def has_features(spec: RunSpec, layout: Layout) -> bool:
    """Whether the voice was prepared, so that its clips are known with their phones."""
    return (Path(layout.features(spec.voice)) / "6-name2semantic.tsv").is_file()


def plan_device(
    spec: RunSpec, layout: Layout, price_per_hour: float | None = None, currency: str = ""
) -> PlanDevice:
    """Facts of this machine."""
    device = choose_device(spec.settings.train.device)
    work = Path(layout.work)
    existing = next(folder for folder in (work, *work.absolute().parents) if folder.exists())
    return PlanDevice(
        gpu_name=device.name if device.kind == "cuda" else None,
        memory=device.memory_total,
        cores=os.cpu_count() or 1,
        disk_free=shutil.disk_usage(existing).free,
        price_per_hour=price_per_hour,
        currency=currency,
        measured=read_measurements(layout, device.name),
    )
