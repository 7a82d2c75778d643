"""Updates, time, cost, memory and disk of a run, from its spec, clips and device alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from sovdeck.engine.contract import estimate
from sovdeck.engine.contract.catalogue import Language, text
from sovdeck.engine.contract.dataset.check import CheckedDataset
from sovdeck.engine.contract.dataset.clip import MAX_CLIP_S, MIN_CLIP_S
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.time_model import SavedClips, TimeModel
from sovdeck.engine.contract.updates import (
    GPT_ACCUMULATION_STEPS,
    auto_batch_size,
    fixed_repeats,
    fixed_updates_per_epoch,
    held_out_clips,
    max_batch_size,
    upstream_gpt_updates_per_epoch,
    upstream_repeats,
    upstream_sovits_updates_per_epoch,
)

TRAINING_STAGES = ("sovits", "gpt")
_MAX_PHONES = 540
_PHONES_PER_SECOND = (3.0, 25.0)
_ASSUMED_PHONES_PER_SECOND = 10.0  # where the text has not been read yet
_LITTLE_AUDIO_S, _SMALL_DATASET_BATCH, _SMALL_DATASET_CLIPS = 60.0, 12, 300
_ONE_GPU_AUDIO_S = 3600.0
_REFERENCE_S = 6.0  # the clip nearest to it becomes the reference
_CHARACTERS_PER_SECOND = {"en": 14.0}  # of speech; about six elsewhere


@dataclass(frozen=True)
class PlanClip:
    """One usable clip; `phones` is None before its text was read."""

    seconds: float
    phones: int | None = None
    chinese: bool = False

    @property
    def frames(self) -> int:
        """Frames of 20 ms."""
        return int(self.seconds * 50)


@dataclass(frozen=True)
class PlanDevice:
    """Where the run would be. `gpu_name` None: on the CPU.

    `cores`: those that networks compute on. `rates`: measured updates a second of just this run.
    `measured`: of other runs on the device, and of `bench`.
    """

    gpu_name: str | None = None
    memory: int | None = None  # bytes of one GPU, or of the machine
    cores: int = 1
    disk_free: int | None = None
    price_per_hour: float | None = None
    currency: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    measured: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class StageProgress:
    """What the saved state of a stage holds: whole epochs, and updates of the one after them.

    `same_run`: it was saved by the run that is planned, else by another one.
    """

    epochs: int
    updates: int = 0
    same_run: bool = False


@dataclass(frozen=True)
class StagePlan:
    """One training stage.

    `seconds` are all that is left of it: `updates` but for those that are `done` in a saved state
    and, in `saving_seconds`, their share of `saves` states with their exports and samples.
    `estimated`: the time of its updates was not measured on this device.
    """

    name: str
    clips: int
    held_out: int
    epochs: int
    batch: int
    updates_per_epoch: int
    seconds: float
    estimated: bool
    memory: int
    saves: int = 0
    saving_seconds: float = 0.0
    timed_saves: int = 0
    error: float | None = None  # share by which predictions from `measured` missed each other
    done: int = 0

    @property
    def updates(self) -> int:
        """Optimiser updates over all epochs."""
        return self.epochs * self.updates_per_epoch


@dataclass(frozen=True)
class RunPlan:
    """The whole run. `refusals` keep it from starting, `warnings` do not.

    `other_seconds` are those of opening, prepare, proof and pack. `memory` is the process's, on
    its device.
    """

    clips: int
    audio_seconds: float
    stages: tuple[StagePlan, ...]
    seconds: float
    cost: float | None
    currency: str
    memory: int
    disk: int
    refusals: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    other_seconds: Mapping[str, float] = field(default_factory=dict)

    def stage_seconds(self) -> dict[str, float]:
        """Seconds of each stage of the run by name, and of its "opening"."""
        return {**self.other_seconds, **{stage.name: stage.seconds for stage in self.stages}}

    def raise_refusal(self) -> None:
        """Raise the first refusal."""
        if self.refusals:
            raise self.refusals[0]

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON values, sizes in bytes and times in seconds."""
        stages = [{**asdict(stage), "updates": stage.updates} for stage in self.stages]
        return {
            "clips": self.clips,
            "audio_seconds": self.audio_seconds,
            "stages": stages,
            "seconds": self.seconds,
            "other_seconds": dict(self.other_seconds),
            "cost": self.cost,
            "currency": self.currency,
            "memory": self.memory,
            "disk": self.disk,
            "refusals": [problem.as_json() for problem in self.refusals],
            "warnings": [problem.as_json() for problem in self.warnings],
        }

    def format_lines(self, language: Language) -> list[str]:
        """The plan and its warnings as lines of text; refusals are left to `raise_refusal`."""
        return self.figure_lines(language) + [w.sentence(language) for w in self.warnings]

    def figure_lines(self, language: Language) -> list[str]:
        """What the run takes, as lines of text."""
        texts = [
            text("engine.plan.clips", clips=self.clips, minutes=_format_minutes(self.audio_seconds))
        ]
        for stage in self.stages:
            texts.append(
                text(
                    "engine.plan.stage",
                    stage=stage.name,
                    epochs=stage.epochs,
                    batch=stage.batch,
                    per_epoch=stage.updates_per_epoch,
                    updates=stage.updates,
                    minutes=_format_minutes(stage.seconds),
                    held=stage.held_out,
                )
            )
            if stage.done:
                texts.append(text("engine.plan.done", stage=stage.name, updates=stage.done))
            if not stage.estimated:
                error = "?" if stage.error is None else f"{stage.error:.0%}"
                texts.append(text("engine.plan.measured", stage=stage.name, error=error))
        cost = "-" if self.cost is None else f"{self.cost:.2f} {self.currency}".strip()
        texts.append(
            text(
                "engine.plan.total",
                minutes=_format_minutes(self.seconds),
                cost=cost,
                memory=_to_gib(self.memory),
                disk=_to_gib(self.disk),
            )
        )
        return [line.get(language) for line in texts]


def make_plan(
    spec: RunSpec,
    clips: Sequence[PlanClip],
    device: PlanDevice,
    *,
    prepared: bool = False,
    progress: Mapping[str, StageProgress] = MappingProxyType({}),
) -> RunPlan:
    """Updates, time, money, memory and disk of `spec` over `clips` on `device`.

    `prepared`: the features of the clips are there already. `progress`: of the stages that go on
    from a saved state; they take the rest of their time, and the disk of the whole.
    """
    audio = sum(clip.seconds for clip in clips)
    times = TimeModel(spec.preset, device.gpu_name, device.cores, device.measured)
    stages = tuple(
        _plan_stage(name, spec, clips, device, times, progress.get(name))
        for name in TRAINING_STAGES
        if name in spec.stages
    )
    packed = _pack_bytes(spec, stages) if "pack" in spec.stages else 0
    other = _other_seconds(spec, clips, packed, times, stages, prepared=prepared)
    seconds = sum(stage.seconds for stage in stages) + sum(other.values())
    disk = estimate.feature_disk_bytes(audio) + packed
    disk += sum(_stage_disk_bytes(stage, spec) for stage in stages)
    memory = _memory(spec, clips, stages, device)
    price = device.price_per_hour
    return RunPlan(
        clips=len(clips),
        audio_seconds=audio,
        stages=stages,
        seconds=seconds,
        cost=None if price is None else seconds / 3600 * price,
        currency=device.currency,
        memory=memory,
        disk=disk,
        refusals=tuple(_find_refusals(spec, stages)),
        warnings=tuple(_find_warnings(spec, stages, audio, memory, disk, device)),
        other_seconds=other,
    )


def _other_seconds(
    spec: RunSpec,
    clips: Sequence[PlanClip],
    packed: int,
    times: TimeModel,
    stages: Sequence[StagePlan],
    *,
    prepared: bool,
) -> dict[str, float]:
    """Seconds of all that is no training: opening, prepare, proof and pack."""
    seconds = {"opening": times.opening()}
    if "prepare" in spec.stages:
        audio = sum(clip.seconds for clip in clips)
        seconds["prepare"] = 1.0 if prepared else times.prepare(audio)
    if "proof" in spec.stages:
        seconds["proof"] = times.sentence(_proof_sound_seconds(spec, clips))
        # GPT's samples, where it has any left to speak, were spoken with the same models.
        if not any(stage.name == "gpt" and stage.done < stage.updates for stage in stages):
            seconds["proof"] += times.speaker_load(chinese=_speaks_chinese(clips))
    if "pack" in spec.stages:
        seconds["pack"] = times.pack(packed)
    return seconds


def _proof_sound_seconds(spec: RunSpec, clips: Sequence[PlanClip]) -> float:
    """How long the proof sentence sounds; without one of its own, it is the reference's."""
    if spec.proof_text:
        return len(spec.proof_text) / _CHARACTERS_PER_SECOND.get(spec.proof_language, 6.0)
    reference = _reference_clip(clips)
    return reference.seconds if reference else _REFERENCE_S


def _reference_clip(clips: Sequence[PlanClip]) -> PlanClip | None:
    """The clip that samples and proof imitate, and in whose language they are read."""
    return min(clips, key=lambda clip: abs(clip.seconds - _REFERENCE_S), default=None)


def _speaks_chinese(clips: Sequence[PlanClip]) -> bool:
    reference = _reference_clip(clips)
    return reference is not None and reference.chinese


def _memory(
    spec: RunSpec, clips: Sequence[PlanClip], stages: Sequence[StagePlan], device: PlanDevice
) -> int:
    """Bytes on the device at the most demanding moment: a stage, or the encoders at work."""
    chinese = any(clip.chinese for clip in clips)

    def process(*, speaks: bool) -> int:
        return estimate.process_bytes(spec.preset, device.gpu_name, speaks=speaks, chinese=chinese)

    needs = [stage.memory + process(speaks=stage.name == "gpt") for stage in stages]
    if set(spec.stages) & {"prepare", "proof"}:
        needs.append(process(speaks=True))
    return max(needs, default=0)


def _pack_bytes(spec: RunSpec, stages: Sequence[StagePlan]) -> int:
    """Bytes of the zip; what lies there of epochs before this run is not known here."""
    contents = spec.settings.pack.contents
    total = 0
    for stage in stages:
        exports = _exports(stage, spec) if contents != "voice" else 1
        total += exports * estimate.export_bytes(stage.name, spec.preset)
        if contents == "resumable":
            total += estimate.state_bytes(stage.name, spec.preset)
    return total


def measured_clips(checked: CheckedDataset) -> list[PlanClip]:
    """The clips of a list that was read and measured; their texts were not."""
    chinese = {item.name for item in checked.manifest.items if item.language == "zh"}
    return [
        PlanClip(facts.seconds, chinese=name in chinese)
        for name, facts in checked.measurements.items()
    ]


def usable_clips(stage: str, clips: Sequence[PlanClip]) -> list[PlanClip]:
    """Clips a stage trains on, by its own limits (SPEC 3.11, 5.6)."""
    if stage == "sovits":
        return [clip for clip in clips if MIN_CLIP_S <= clip.seconds < MAX_CLIP_S]
    low, high = _PHONES_PER_SECOND
    return [
        clip
        for clip in clips
        if clip.seconds <= MAX_CLIP_S
        and (
            clip.phones is None
            or (clip.phones <= _MAX_PHONES and low <= clip.phones / clip.seconds <= high)
        )
    ]


def _plan_stage(
    name: str,
    spec: RunSpec,
    clips: Sequence[PlanClip],
    device: PlanDevice,
    times: TimeModel,
    progress: StageProgress | None,
) -> StagePlan:
    kept = usable_clips(name, clips)
    held = held_out_clips(len(kept))
    count = len(kept) - held
    world_size = _world_size(spec)
    batch = _batch_size(name, spec, count, device, world_size)
    epochs = spec.settings.stage(name).epochs
    per_epoch = _updates_per_epoch(name, spec, kept, count, batch, world_size)
    longest = max((clip.seconds for clip in kept), default=0.0)
    phones = max(
        (clip.phones or int(clip.seconds * _ASSUMED_PHONES_PER_SECOND) for clip in kept), default=0
    )
    rate = device.rates.get(name)
    shown = count * _repeats(spec, len(kept))
    micro_batches = max(1.0, shown / (batch * world_size * per_epoch)) if per_epoch else 1.0
    sizes = SavedClips.of(count, held, [clip.seconds for clip in kept])
    each = 1 / rate if rate else times.update(name, batch, micro_batches, sizes.seconds)
    wanted = spec.settings.stage(name)
    interval = 60.0 * spec.settings.train.save_every_minutes

    def saves_after(epoch: int) -> int:  # the last epoch is always saved
        return -(-epochs // wanted.save_every_epochs) - epoch // wanted.save_every_epochs

    def timed_after(updates: int, epoch: int) -> int:
        seconds, saves = (epochs * per_epoch - updates) * each, saves_after(epoch)
        return estimate.timed_saves(name, spec.preset, seconds, epochs - epoch, saves, interval)

    begun = min(progress.epochs, epochs) if progress else 0
    done = begun * per_epoch
    if progress and begun < epochs:
        done += min(progress.updates, per_epoch)
    left = epochs * per_epoch - done
    saves = saves_after(begun) if begun < epochs else 0
    exports = saves if wanted.export_each_save else min(saves, 1)
    saving = saves * times.save(name, sizes) + timed_after(done, begun) * times.state(name)
    # What an earlier run has exported is written again, and not spoken.
    saving += exports * times.export(name, sizes) if exports else times.export_file(name)
    if name == "gpt" and exports:
        saving += times.speaker_load(chinese=_speaks_chinese(clips))
    state = "none" if progress is None else "same" if progress.same_run else "another"
    frame = times.begin_stage(name, sizes.seconds, state) + times.end_stage(name, sizes.seconds)
    frame += times.first_update(name) if left and progress is None else 0.0
    correction = times.correction(name, batch)
    return StagePlan(
        name=name,
        clips=count,
        held_out=held,
        epochs=epochs,
        batch=batch,
        updates_per_epoch=per_epoch,
        seconds=left * each + saving + frame,
        estimated=not rate and correction is None,
        memory=estimate.memory_bytes(name, spec.preset, batch, longest, phones),
        saves=saves_after(0),
        saving_seconds=saving,
        timed_saves=timed_after(0, 0),
        error=None if rate or correction is None else correction.error,
        done=done,
    )


def _exports(stage: StagePlan, spec: RunSpec) -> int:
    return stage.saves if spec.settings.stage(stage.name).export_each_save else 1


def _world_size(spec: RunSpec) -> int:
    return spec.settings.train.gpu_count


def _batch_size(name: str, spec: RunSpec, clips: int, device: PlanDevice, world_size: int) -> int:
    wanted = spec.settings.stage(name).batch_size
    gpu_memory = device.memory if device.gpu_name is not None else None
    batch = auto_batch_size(name, clips, gpu_memory, world_size) if wanted == "auto" else wanted
    if name == "gpt" and spec.settings.gpt.dpo:
        batch = max(1, batch // 2)
    return batch


def _repeats(spec: RunSpec, clips: int) -> int:
    """How often an epoch shows each clip, of so many with the held-out ones."""
    if spec.settings.train.schedule == "upstream":
        return upstream_repeats(clips)
    return fixed_repeats(clips, spec.settings.train.repeats)


def _updates_per_epoch(
    name: str, spec: RunSpec, kept: Sequence[PlanClip], count: int, batch: int, world_size: int
) -> int:
    if spec.settings.train.schedule == "fixed":
        accumulation_steps = GPT_ACCUMULATION_STEPS if name == "gpt" else 1
        return fixed_updates_per_epoch(
            count, batch, world_size, accumulation_steps, _repeats(spec, len(kept))
        )
    if name == "gpt":
        return upstream_gpt_updates_per_epoch(count, batch, world_size)
    return upstream_sovits_updates_per_epoch(
        [clip.frames for clip in kept[:count]], batch, world_size
    )


def _stage_disk_bytes(stage: StagePlan, spec: RunSpec) -> int:
    wanted = spec.settings.stage(stage.name)
    return estimate.stage_disk_bytes(
        stage.name,
        spec.preset,
        stage.saves,
        wanted.export_each_save,
        wanted.keep_resume == "all",
        stage.timed_saves,
    )


def _find_refusals(spec: RunSpec, stages: Sequence[StagePlan]) -> list[Problem]:
    refused = []
    for stage in stages:
        largest = max_batch_size(stage.clips, _world_size(spec))
        facts = {"stage": stage.name, "clips": stage.clips, "batch": stage.batch}
        fixed = spec.settings.train.schedule == "fixed"
        if largest == 0:
            refused.append(Problem("engine.plan.few_clips", ExitCode.DATA, **facts))
        elif stage.updates_per_epoch == 0 or (fixed and stage.batch > largest):
            refused.append(
                Problem(
                    "engine.plan.no_updates",
                    ExitCode.CONFIG,
                    updates=stage.updates_per_epoch,
                    parameter=f"{stage.name}.batch_size",
                    largest=largest,
                    **facts,
                )
            )
    return refused


def _find_warnings(
    spec: RunSpec,
    stages: Sequence[StagePlan],
    audio: float,
    memory: int,
    disk: int,
    device: PlanDevice,
) -> list[Problem]:
    warned = []
    if audio < _LITTLE_AUDIO_S:
        warned.append(Problem("engine.plan.little_audio", ExitCode.OK, seconds=round(audio)))
    if _world_size(spec) > 1 and audio < _ONE_GPU_AUDIO_S:
        warned.append(Problem("engine.plan.one_gpu", ExitCode.OK, minutes=round(audio / 60)))
    for stage in stages:
        if (
            stage.name == "sovits"
            and stage.clips < _SMALL_DATASET_CLIPS
            and stage.batch > _SMALL_DATASET_BATCH
        ):
            warned.append(
                Problem(
                    "engine.plan.batch_repeats",
                    ExitCode.OK,
                    batch=stage.batch,
                    clips=stage.clips,
                    most=_SMALL_DATASET_BATCH,
                )
            )
    if device.memory is not None and memory > device.memory:
        warned.append(
            Problem(
                "engine.plan.memory", ExitCode.OK, need=_to_gib(memory), have=_to_gib(device.memory)
            )
        )
    if device.disk_free is not None and disk > device.disk_free:
        warned.append(
            Problem(
                "engine.plan.disk", ExitCode.OK, need=_to_gib(disk), have=_to_gib(device.disk_free)
            )
        )
    return warned


def _format_minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _to_gib(size: int) -> float:
    return round(size / estimate.GIB, 1)
