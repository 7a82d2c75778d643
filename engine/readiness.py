"""What must hold before a run builds anything: recordings to read, and room on the disk.

Building a model takes half a minute; a missing list or a full disk is known at once.
"""

from __future__ import annotations

from pathlib import Path

import soundfile

from engine.contract.dataset.items import read_items
from engine.contract.estimate import GIB
from engine.contract.layout import Layout
from engine.contract.plan import PlanClip, plan
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.prepare.sources import list_file, wav_folder
from engine.training.plan import device_of


def check_ready(spec: RunSpec, layout: Layout) -> None:
    """Raise Problem when the dataset cannot be read or the run would not fit on the disk.

    No sound is decoded here; what is wrong inside a recording the prepare stage says.
    """
    clips = _clips(spec, layout) if "prepare" in spec.stages else []
    device = device_of(spec, layout)
    # What an earlier attempt left is written over or goes on being used.
    have = (device.disk_free or 0) + _stands(spec, layout)
    need = plan(spec, clips, device).disk
    if need > have:
        raise Problem(
            "engine.run.disk_low", ExitCode.DATA, folder=str(layout.work),
            need=f"{need / GIB:.1f}", have=f"{have / GIB:.1f}",
        )  # fmt: skip


def _clips(spec: RunSpec, layout: Layout) -> list[PlanClip]:
    source, folder = list_file(spec, layout), Path(layout.dataset(spec.voice))
    if source.is_dir() or (not spec.list_file and folder.is_dir() and not source.is_file()):
        return []  # bare recordings: the prepare stage makes their list
    items = read_items(source, wav_folder(spec, layout)).items
    if not items:
        raise Problem("engine.data.nothing_left", ExitCode.DATA, file=str(source))
    return [PlanClip(seconds) for item in items if (seconds := _seconds(item.wav)) is not None]


def _seconds(path: Path) -> float | None:
    """Length by the file's header; None for a format that only the decoder can read."""
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:
        return None


def _stands(spec: RunSpec, layout: Layout) -> int:
    """Bytes this voice already takes."""
    folders = (
        layout.features(spec.voice), layout.sovits_weights(spec.voice),
        layout.gpt_weights(spec.voice),
    )  # fmt: skip
    files = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)
