"""How long a server is needed for one voice, from the clips on this computer and the preset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sovdeck.engine.contract.dataset.check import MeasureFile, check_clips
from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, make_plan
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import TINY_PRESETS, RunSpec
from sovdeck.remote.rent.provider import Requirements

# From the order to the first update: its start, the installation, the weights, the recordings.
_BEFORE_TRAINING_S = 25 * 60
# From the last update to the confirmed end: the pack, its download, the provider's own pace.
_AFTER_TRAINING_S = 8 * 60
# No rate was measured on the card: plans were off by up to this much of their time.
ERROR = 0.5
_CORES = 8
_ENVIRONMENT_GB, _WEIGHTS_GB = 12, 6
_UNREAD_CLIP_S = 6.0  # of a format that this computer does not read


class VoiceEstimate:
    """The plan of one voice, to be asked for the hours on any card."""

    def __init__(self, spec: RunSpec, clips: list[PlanClip]) -> None:
        self._spec, self._clips = spec, clips

    def hours(self, gpu: str) -> float:
        """Return the hours of the whole rental on a card of this name."""
        plan = make_plan(self._spec, self._clips, PlanDevice(gpu_name=gpu, cores=_CORES))
        return (_BEFORE_TRAINING_S + plan.seconds + _AFTER_TRAINING_S) / 3600

    @property
    def requirements(self) -> Requirements:
        """What a server must have: the plan's GPU memory, and disk for all that is put there."""
        plan = make_plan(self._spec, self._clips, PlanDevice(gpu_name="", cores=_CORES))
        disk = _ENVIRONMENT_GB + _WEIGHTS_GB + int(plan.disk / 1e9) + 1
        return Requirements(plan.memory / (1 << 30), disk)


def estimate_voice(
    voice: str,
    preset: str,
    params: Mapping[str, ParamValue],
    list_file: Path,
    wavs: Path | None,
    measure: MeasureFile,
) -> VoiceEstimate:
    """Return the estimate over the usable clips of a list; Problem when there is none."""
    manifest = read_dataset_list(list_file, wavs)
    checked = check_clips(manifest, measure)
    if not checked.manifest.items:
        problems = checked.manifest.problems
        why = problems[0].message.en if problems else "-"
        raise Problem("remote.config.empty_dataset", ExitCode.DATA, path=str(list_file), why=why)
    spec = RunSpec(
        run="estimate",
        voice=voice,
        preset=preset,
        list_file="",
        wav_folder="",
        params=params,
        pretrained=None if preset in TINY_PRESETS else "v2",
    )
    measured = checked.measurements
    clips = [
        PlanClip(measured[item.name].seconds if item.name in measured else _UNREAD_CLIP_S)
        for item in checked.manifest.items
    ]
    return VoiceEstimate(spec, clips)
