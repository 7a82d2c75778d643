"""What a run will do, before it costs anything: a pure function of spec, clips and device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.contract import estimate
from engine.contract.catalogue import Language, text
from engine.contract.dataset.clip import LONGEST_S, SHORTEST_S
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.contract.updates import (
    GPT_ACCUMULATE,
    auto_batch,
    fixed_updates,
    held_out,
    largest_batch,
    upstream_gpt_updates,
    upstream_sovits_updates,
)

TRAINED = ("sovits", "gpt")
_MOST_PHONES = 540
_PHONES_A_SECOND = (3.0, 25.0)
_PHONES_GUESS = 10.0  # a second, where the text has not been read yet
_LITTLE_S, _SMALL_SOVITS, _SMALL_SET = 60.0, 12, 300
_ONE_GPU_S = 3600.0


@dataclass(frozen=True)
class PlanClip:
    """One usable clip; `phones` is None before its text was read."""

    seconds: float
    phones: int | None = None

    @property
    def frames(self) -> int:
        return int(self.seconds * 50)


@dataclass(frozen=True)
class PlanDevice:
    """Where the run would be. `card` None means the CPU; `rates` are measured updates a second."""

    card: str | None = None
    memory: int | None = None  # bytes of one GPU, or of the machine
    cores: int = 1
    disk_free: int | None = None
    price_per_hour: float | None = None
    currency: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StagePlan:
    """One training stage. `estimated` says that `seconds` was not measured on this device."""

    name: str
    clips: int
    held_out: int
    epochs: int
    batch: int
    updates_per_epoch: int
    seconds: float
    estimated: bool
    memory: int

    @property
    def updates(self) -> int:
        return self.epochs * self.updates_per_epoch


@dataclass(frozen=True)
class Plan:
    """The whole run. `refusals` must be mended before it may start; `warnings` may stay."""

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

    def check(self) -> None:
        """Raise the first refusal."""
        if self.refusals:
            raise self.refusals[0]

    def as_json(self) -> dict[str, Any]:
        stages = [{**asdict(stage), "updates": stage.updates} for stage in self.stages]
        return {
            "clips": self.clips, "audio_seconds": self.audio_seconds, "stages": stages,
            "seconds": self.seconds, "cost": self.cost, "currency": self.currency,
            "memory": self.memory, "disk": self.disk,
            "refusals": [problem.as_json() for problem in self.refusals],
            "warnings": [problem.as_json() for problem in self.warnings],
        }  # fmt: skip

    def lines(self, language: Language) -> list[str]:
        """The plan as a person reads it; refusals are raised by `check`, not repeated here."""
        texts = [text("engine.plan.clips", clips=self.clips, minutes=_tenth(self.audio_seconds))]
        for stage in self.stages:
            texts.append(
                text(
                    "engine.plan.stage",
                    stage=stage.name,
                    epochs=stage.epochs,
                    batch=stage.batch,
                    per_epoch=stage.updates_per_epoch,
                    updates=stage.updates,
                    minutes=_tenth(stage.seconds),
                    held=stage.held_out,
                )  # fmt: skip
            )
        cost = "-" if self.cost is None else f"{self.cost:.2f} {self.currency}".strip()
        texts.append(
            text(
                "engine.plan.total",
                minutes=_tenth(self.seconds),
                cost=cost,
                memory=_gib(self.memory),
                disk=_gib(self.disk),
            )  # fmt: skip
        )
        return [line.get(language) for line in texts] + [
            w.sentence(language) for w in self.warnings
        ]


def plan(spec: RunSpec, clips: Sequence[PlanClip], device: PlanDevice) -> Plan:
    """Updates, time, money, memory and disk of `spec` over `clips` on `device`."""
    audio = sum(clip.seconds for clip in clips)
    stages = tuple(_stage(name, spec, clips, device) for name in TRAINED if name in spec.stages)
    seconds = sum(stage.seconds for stage in stages)
    if "prepare" in spec.stages:
        seconds += estimate.prepare_seconds(audio, spec.preset, device.card, device.cores)
    disk = estimate.feature_disk(audio) + sum(_disk(stage, spec) for stage in stages)
    memory = max((stage.memory for stage in stages), default=0)
    price = device.price_per_hour
    return Plan(
        clips=len(clips),
        audio_seconds=audio,
        stages=stages,
        seconds=seconds,
        cost=None if price is None else seconds / 3600 * price,
        currency=device.currency,
        memory=memory,
        disk=disk,
        refusals=tuple(_refusals(spec, stages)),
        warnings=tuple(_warnings(spec, stages, audio, memory, disk, device)),
    )


def usable(stage: str, clips: Sequence[PlanClip]) -> list[PlanClip]:
    """Clips a stage trains on, by its own limits (SPEC 3.11, 5.6)."""
    if stage == "sovits":
        return [clip for clip in clips if SHORTEST_S <= clip.seconds < LONGEST_S]
    low, high = _PHONES_A_SECOND
    return [
        clip
        for clip in clips
        if clip.seconds <= LONGEST_S
        and (
            clip.phones is None
            or (clip.phones <= _MOST_PHONES and low <= clip.phones / clip.seconds <= high)
        )
    ]


def _stage(name: str, spec: RunSpec, clips: Sequence[PlanClip], device: PlanDevice) -> StagePlan:
    kept = usable(name, clips)
    held = held_out(len(kept))
    count = len(kept) - held
    world = _world(spec)
    batch = _batch(name, spec, count, device, world)
    epochs = int(spec.value(f"{name}.epochs"))
    per_epoch = _updates(name, spec, kept, count, batch, world)
    longest = max((clip.seconds for clip in kept), default=0.0)
    phones = max((clip.phones or int(clip.seconds * _PHONES_GUESS) for clip in kept), default=0)
    rate = device.rates.get(name)
    micro = max(1.0, count / (batch * world * per_epoch)) if per_epoch else 1.0
    each = estimate.update_seconds(name, spec.preset, batch, micro, device.card, device.cores)
    return StagePlan(
        name=name,
        clips=count,
        held_out=held,
        epochs=epochs,
        batch=batch,
        updates_per_epoch=per_epoch,
        seconds=epochs * per_epoch * (1 / rate if rate else each),
        estimated=not rate,
        memory=estimate.memory_bytes(name, spec.preset, batch, longest, phones),
    )


def _world(spec: RunSpec) -> int:
    return str(spec.value("train.gpus")).count("-") + 1


def _batch(name: str, spec: RunSpec, clips: int, device: PlanDevice, world: int) -> int:
    wanted: Any = spec.value(f"{name}.batch_size")
    gpu_memory = device.memory if device.card is not None else None
    batch = auto_batch(name, clips, gpu_memory, world) if wanted == "auto" else int(wanted)
    if name == "gpt" and spec.value("gpt.dpo"):
        batch = max(1, batch // 2)
    return batch


def _updates(
    name: str, spec: RunSpec, kept: Sequence[PlanClip], count: int, batch: int, world: int
) -> int:
    if spec.value("train.schedule") == "fixed":
        return fixed_updates(count, batch, world, GPT_ACCUMULATE if name == "gpt" else 1)
    if name == "gpt":
        return upstream_gpt_updates(count, batch, world)
    return upstream_sovits_updates([clip.frames for clip in kept[:count]], batch, world)


def _disk(stage: StagePlan, spec: RunSpec) -> int:
    every = int(spec.value(f"{stage.name}.save_every_epochs"))
    saves = -(-stage.epochs // every)  # the last epoch is always saved
    return estimate.stage_disk(
        stage.name, spec.preset, saves,
        bool(spec.value(f"{stage.name}.export_each_save")),
        spec.value(f"{stage.name}.keep_resume") == "all",
    )  # fmt: skip


def _refusals(spec: RunSpec, stages: Sequence[StagePlan]) -> list[Problem]:
    refused = []
    for stage in stages:
        largest = largest_batch(stage.clips, _world(spec))
        facts = {"stage": stage.name, "clips": stage.clips, "batch": stage.batch}
        fixed = spec.value("train.schedule") == "fixed"
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
                )  # fmt: skip
            )
    return refused


def _warnings(
    spec: RunSpec, stages: Sequence[StagePlan], audio: float, memory: int, disk: int,
    device: PlanDevice,
) -> list[Problem]:  # fmt: skip
    warned = []
    if audio < _LITTLE_S:
        warned.append(Problem("engine.plan.little_audio", ExitCode.OK, seconds=round(audio)))
    if _world(spec) > 1 and audio < _ONE_GPU_S:
        warned.append(Problem("engine.plan.one_gpu", ExitCode.OK, minutes=round(audio / 60)))
    for stage in stages:
        if stage.name == "sovits" and stage.clips < _SMALL_SET and stage.batch > _SMALL_SOVITS:
            warned.append(
                Problem("engine.plan.batch_repeats", ExitCode.OK,
                        batch=stage.batch, clips=stage.clips, most=_SMALL_SOVITS)
            )  # fmt: skip
    if device.memory is not None and memory > device.memory:
        warned.append(
            Problem("engine.plan.memory", ExitCode.OK,
                    need=_gib(memory), have=_gib(device.memory))
        )  # fmt: skip
    if device.disk_free is not None and disk > device.disk_free:
        warned.append(
            Problem("engine.plan.disk", ExitCode.OK, need=_gib(disk), have=_gib(device.disk_free))
        )
    return warned


def _tenth(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _gib(size: int) -> float:
    return round(size / estimate.GIB, 1)
