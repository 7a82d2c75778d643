"""Updates, time, cost, memory and disk of a run, from its spec, clips and device alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sovdeck.engine.contract import estimate
from sovdeck.engine.contract.catalogue import Language, text
from sovdeck.engine.contract.dataset.check import CheckedDataset
from sovdeck.engine.contract.dataset.clip import MAX_CLIP_S, MIN_CLIP_S
from sovdeck.engine.contract.measured import Measurement, find_correction
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
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

    `rates`: measured updates a second of just this run. `measured`: of other runs on the device,
    and of `bench`.
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
class StagePlan:
    """One training stage.

    `seconds` are all of it: `updates` and, in `saving_seconds`, `saves` states with their exports
    and samples. `estimated`: the time of its updates was not measured on this device.
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
    spec: RunSpec, clips: Sequence[PlanClip], device: PlanDevice, *, prepared: bool = False
) -> RunPlan:
    """Updates, time, money, memory and disk of `spec` over `clips` on `device`.

    `prepared`: the features of the clips are there already.
    """
    audio = sum(clip.seconds for clip in clips)
    stages = tuple(
        _plan_stage(name, spec, clips, device) for name in TRAINING_STAGES if name in spec.stages
    )
    packed = _pack_bytes(spec, stages) if "pack" in spec.stages else 0
    other = _other_seconds(spec, audio, packed, device, prepared=prepared)
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
    spec: RunSpec, audio: float, packed: int, device: PlanDevice, *, prepared: bool
) -> dict[str, float]:
    """Seconds of all that is no training: opening, prepare, proof and pack."""
    preset, where = spec.preset, (device.gpu_name, device.cores)
    seconds = {"opening": estimate.opening_seconds(preset)}
    if "prepare" in spec.stages:
        seconds["prepare"] = 1.0 if prepared else estimate.prepare_seconds(audio, preset, *where)
    if "proof" in spec.stages:
        seconds["proof"] = estimate.speaking_seconds(preset, *where, loaded="gpt" in spec.stages)
    if "pack" in spec.stages:
        seconds["pack"] = estimate.pack_seconds(packed)
    return seconds


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
    name: str, spec: RunSpec, clips: Sequence[PlanClip], device: PlanDevice
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
    update_seconds = _modelled_seconds(
        Measurement(name, spec.preset, batch, 1.0, micro_batches=micro_batches), device
    )
    correction = find_correction(
        device.measured, name, spec.preset, batch, lambda one: _modelled_seconds(one, device)
    )
    if correction is not None:
        update_seconds *= correction.factor
    else:
        mean = sum(clip.seconds for clip in kept) / len(kept) if kept else 0.0
        update_seconds *= estimate.length_factor(name, device.gpu_name, mean)
    rate_seconds = epochs * per_epoch * (1 / rate if rate else update_seconds)
    wanted = spec.settings.stage(name)
    saves = -(-epochs // wanted.save_every_epochs)  # the last epoch is always saved
    interval = 60.0 * spec.settings.train.save_every_minutes
    timed_saves = estimate.timed_saves(name, spec.preset, rate_seconds, epochs, saves, interval)
    saving = _saving_seconds(name, spec, saves, timed_saves, device)
    beginning = estimate.begin_stage_seconds(name, spec.preset, device.gpu_name, device.cores)
    return StagePlan(
        name=name,
        clips=count,
        held_out=held,
        epochs=epochs,
        batch=batch,
        updates_per_epoch=per_epoch,
        seconds=rate_seconds + saving + beginning,
        estimated=not rate and correction is None,
        memory=estimate.memory_bytes(name, spec.preset, batch, longest, phones),
        saves=saves,
        saving_seconds=saving,
        timed_saves=timed_saves,
        error=None if rate or correction is None else correction.error,
    )


def _modelled_seconds(one: Measurement, device: PlanDevice) -> float:
    """Seconds of such an update on this device, by the model alone."""
    return estimate.update_seconds(
        one.stage, one.preset, one.batch, one.micro_batches, device.gpu_name, device.cores
    )


def _saving_seconds(
    name: str, spec: RunSpec, saves: int, timed_saves: int, device: PlanDevice
) -> float:
    where = (name, spec.preset, device.gpu_name, device.cores)
    exports = saves if spec.settings.stage(name).export_each_save else min(saves, 1)
    with_samples = estimate.save_seconds(*where, exports=True)
    state_alone = estimate.save_seconds(*where, exports=False)
    seconds = exports * with_samples + (saves - exports + timed_saves) * state_alone
    if name == "gpt" and exports:
        seconds += estimate.speaker_load_seconds(spec.preset)
    return seconds


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
