"""Checks before a run builds anything: starting weights, recordings, batches, disk, GPU.

Building a model takes half a minute; a missing list or a full disk is known at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import soundfile

from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.estimate import GIB
from sovdeck.engine.contract.layout import VERSIONS, Layout
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, RunPlan, make_plan
from sovdeck.engine.contract.pretrained_set import resolve_preset
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec, version_of_preset
from sovdeck.engine.prepare.sources import list_file, wav_folder
from sovdeck.engine.runtime.device import choose_device, refuse_unseen_gpu
from sovdeck.engine.training.initial_weights import open_initial_weights
from sovdeck.engine.training.plan import has_features, plan_device, plan_run, saved_progress

_MAX_NAMED = 12  # datasets that a sentence lists


@dataclass(frozen=True)
class RunFindings:
    """problems: what would keep a run from training. warnings: what to think over before it."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def examine_run(spec: RunSpec, layout: Layout) -> RunFindings:
    """Look at all a run needs, before it is started."""
    spec = resolve_preset(spec, layout)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for check in (_check_weights, _check_gpu):
        try:
            check(spec, layout)
        except Problem as problem:
            problems.append(problem)
    try:
        plan = run_preflight(spec, layout)
    except Problem as problem:
        problems.append(problem)
    else:
        if plan.clips:  # else the plan is of nothing
            # Room is a problem above, or there is enough with what the voice has there already.
            warnings += [one for one in plan.warnings if one.key != "engine.plan.disk"]
    return RunFindings(tuple(problems), tuple(warnings))


def plan_preflight(
    spec: RunSpec, layout: Layout, price_per_hour: float | None = None, currency: str = ""
) -> RunPlan | None:
    """The plan of a run that nothing refuses; None where its clips are not listed yet."""
    spec = resolve_preset(spec, layout)
    clips = _readable_clips(spec, layout) if "prepare" in spec.stages else []
    if not clips:
        return None
    device = plan_device(spec, layout, price_per_hour, currency)
    return _make_plan(spec, layout, clips, device)


def _check_weights(spec: RunSpec, layout: Layout) -> None:
    open_initial_weights(spec, layout)


def _check_gpu(spec: RunSpec, layout: Layout) -> None:
    wanted = spec.settings.train.device
    refuse_unseen_gpu(wanted, "engine.run.gpu_unseen")
    choose_device(wanted)


def run_preflight(spec: RunSpec, layout: Layout) -> RunPlan:
    """The run's plan; Problem when the dataset cannot be read or is too small, or fills the disk.

    No audio is decoded here; the prepare stage reports what is wrong inside a recording.
    """
    clips = _readable_clips(spec, layout) if "prepare" in spec.stages else []
    device = plan_device(spec, layout)
    # Files of an earlier attempt are overwritten or used again.
    have = (device.disk_free or 0) + _used_bytes(spec, layout)
    plan = _make_plan(spec, layout, clips, device)
    if clips:  # else the prepare stage still has to find them
        plan.raise_refusal()
    need = plan.disk
    if need > have:
        raise Problem(
            "engine.run.disk_low",
            ExitCode.DATA,
            folder=str(layout.work),
            need=f"{need / GIB:.1f}",
            have=f"{have / GIB:.1f}",
        )
    return plan


def _make_plan(spec: RunSpec, layout: Layout, clips: list[PlanClip], device: PlanDevice) -> RunPlan:
    prepared, progress = has_features(spec, layout), saved_progress(spec, layout)
    return make_plan(spec, clips, device, prepared=prepared, progress=progress)


def check_prepared(spec: RunSpec, layout: Layout) -> None:
    """Raise Problem when what was prepared leaves a later stage too few updates.

    Only now are the phones of each clip known, by which GPT leaves clips out: it must not come to
    light when SoVITS has trained for an hour.
    """
    if has_features(spec, layout):
        plan_run(spec, layout).raise_refusal()


def _readable_clips(spec: RunSpec, layout: Layout) -> list[PlanClip]:
    source, folder = list_file(spec, layout), Path(layout.dataset(spec.voice))
    if source.is_dir() or (not spec.list_file and folder.is_dir() and not source.is_file()):
        return []  # bare recordings: the prepare stage makes their list
    if not spec.list_file and not folder.is_dir():
        raise _no_dataset(spec.voice, folder.parent)
    items = read_dataset_list(source, wav_folder(spec, layout)).items
    if not items:
        raise Problem("engine.data.nothing_left", ExitCode.DATA, file=str(source))
    return [
        PlanClip(seconds, chinese=item.language == "zh")
        for item in items
        if (seconds := _header_seconds(item.wav)) is not None
    ]


def _no_dataset(voice: str, folder: Path) -> Problem:
    """The problem of a voice that no recordings were pushed under; it names those that were."""
    names = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    if not names:
        return Problem("engine.data.nothing_pushed", ExitCode.DATA, voice=voice)
    named = ", ".join(names[:_MAX_NAMED]) + (" …" if len(names) > _MAX_NAMED else "")
    return Problem("engine.data.no_dataset", ExitCode.DATA, voice=voice, names=named)


def _header_seconds(path: Path) -> float | None:
    """Length by the file's header; None for a format that only the decoder can read."""
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:
        return None


def _used_bytes(spec: RunSpec, layout: Layout) -> int:
    """Bytes this voice already uses, but for what it has of other versions than the run's."""
    version = version_of_preset(spec.preset)
    others = [Path(layout.states(spec.voice, other)) for other in VERSIONS if other != version]
    folders = (
        layout.features(spec.voice),
        layout.sovits_weights(spec.voice, version),
        layout.gpt_weights(spec.voice, version),
    )
    files = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file())
    own = (path for path in files if not any(other in path.parents for other in others))
    return sum(path.stat().st_size for path in own)
