"""The plan of a run on this machine: the pure arithmetic with this dataset and this device."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.plan import (
    TRAINING_STAGES,
    PlanClip,
    PlanDevice,
    RunPlan,
    StageProgress,
    make_plan,
    measured_clips,
)
from sovdeck.engine.contract.pretrained_set import resolve_preset
from sovdeck.engine.contract.spec import RunSpec, version_of_preset
from sovdeck.engine.prepare.measured_list import check_list
from sovdeck.engine.prepare.sources import list_file, wav_folder
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.device import choose_device
from sovdeck.engine.training.features import read_features
from sovdeck.engine.training.measured_runs import read_measurements
from sovdeck.engine.training.meters import Position


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
        progress=saved_progress(spec, layout),
    )


def saved_progress(spec: RunSpec, layout: Layout) -> dict[str, StageProgress]:
    """How far the states that the run would go on from have come, by stage.

    Where changes would make training start over nothing counts as done, so that the plan is not
    too short.
    """
    if spec.settings.train.on_change == "restart":
        return {}
    version = version_of_preset(resolve_preset(spec, layout).preset)
    found = {}
    for stage in TRAINING_STAGES:
        facts = CheckpointStore(Path(layout.states(spec.voice, version)) / stage).newest_facts()
        if facts is not None:
            position = Position.from_facts(facts["position"])
            same_run = facts.get("run") == spec.run
            found[stage] = StageProgress(position.epoch - 1, position.index, same_run)
    return found


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
        cores=torch.get_num_threads(),
        disk_free=shutil.disk_usage(existing).free,
        price_per_hour=price_per_hour,
        currency=currency,
        measured=read_measurements(layout, device.name),
    )
