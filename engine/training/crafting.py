"""Putting a stage together: clips, batch size, model, saved states, export."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine import interop
from engine.chosen_pair import write_trained
from engine.contract.catalogue import LANGUAGES, text
from engine.contract.params import PARAMS
from engine.contract.problem import ExitCode, Problem
from engine.contract.updates import GPT_ACCUMULATE, auto_batch, upstream_repeats
from engine.runtime.checkpoint import Checkpoints
from engine.runtime.device import choose_precision
from engine.training import samples, validation
from engine.training.base import Base
from engine.training.features import (
    Clip,
    Features,
    LeftOut,
    gpt_fault,
    hold_out,
    select,
    sovits_fault,
)
from engine.training.gpt_task import GptSettings, GptTask
from engine.training.order import Sizes, check_batch
from engine.training.progress import Position
from engine.training.room import Craft, Export, Room
from engine.training.sovits_task import SovitsSettings, SovitsTask
from engine.training.stage import TrainingStage
from engine.training.upstream_order import gpt_batch_size

# Training clips that show whether anything was learnt. Held-out ones would not: a model from
# nothing that knows a dozen clips by heart does worse on others, and has still been trained.
_FEW = 4
_NAMED = 8  # clips a sentence lists before it stops
State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Ground:
    """What a stage knows before its model exists."""

    training: tuple[Clip, ...]
    held: tuple[Clip, ...]
    batch: int
    checkpoints: Checkpoints
    newest: Any
    must_match: Mapping[str, Any]


def sovits_stage(room: Room, base: Base, features: Features) -> TrainingStage:
    """The SoVITS stage, ready to run."""
    scale = float(room.spec.value("sovits.text_lr_scale"))
    ground = _ground(room, base, features, "sovits", sovits_fault, {"text_lr_scale": scale})
    settings = SovitsSettings(
        Sizes(ground.batch, room.peers.world), int(room.spec.value("train.seed")),
        room.spec.value("train.schedule"), scale,
    )  # fmt: skip
    task = SovitsTask(
        base.synthesizer(), base.discriminator(), ground.training, settings,
        room.device, _precision(room), room.peers,
        recompute=bool(room.spec.value("sovits.grad_checkpoint")),
    )  # fmt: skip
    folder = Path(room.layout.sovits_weights(room.spec.voice))
    device, few = room.device.torch, ground.training[:_FEW]

    def export(epoch: int, position: Position, metrics: Mapping[str, float]) -> Export:
        written = interop.write_sovits(
            folder, room.spec.voice, epoch, position.step, task.generator.state_dict(),
            base.sovits, _facts(room, "sovits", ground, metrics),
        )  # fmt: skip
        return _noted(room, "sovits", written)

    def change(path: Path) -> float:
        return moved(interop.read_sovits(path).state, base.weights("sovits"))

    def sample(epoch: int, path: Path) -> None:
        samples.resynthesise(room, task.generator, ground.held or ground.training, epoch)

    craft = Craft(
        task, ground.batch, ground.must_match, task.state, task.restore, export,
        lambda: validation.sovits_metrics(task.generator, ground.held, device),
        change, sample,
        lambda: validation.sovits_metrics(task.generator, few, device)["mel"],
    )  # fmt: skip
    return TrainingStage(room, craft, ground.newest, ground.checkpoints)


def gpt_stage(room: Room, base: Base, features: Features, speak: samples.Speak) -> TrainingStage:
    """The GPT stage, ready to run; `speak` says a sample with a freshly exported file."""
    dpo = bool(room.spec.value("gpt.dpo"))
    ground = _ground(room, base, features, "gpt", gpt_fault, {"dpo": dpo})
    settings = GptSettings(
        Sizes(ground.batch, room.peers.world, GPT_ACCUMULATE), int(room.spec.value("train.seed")),
        room.spec.value("train.schedule"), dpo,
    )  # fmt: skip
    task = GptTask(
        base.text2semantic(), ground.training, settings, room.device, _precision(room), room.peers
    )
    folder = Path(room.layout.gpt_weights(room.spec.voice))
    device, few = room.device.torch, ground.training[:_FEW]

    def export(epoch: int, position: Position, metrics: Mapping[str, float]) -> Export:
        written = interop.write_gpt(
            folder, room.spec.voice, epoch, task.model.state_dict(), base.gpt,
            _facts(room, "gpt", ground, metrics),
        )  # fmt: skip
        return _noted(room, "gpt", written)

    def change(path: Path) -> float:
        return moved(interop.read_gpt(path).state, base.weights("gpt"))

    def sample(epoch: int, path: Path) -> None:
        samples.speak_each(room, speak, path, ground.held or ground.training, epoch)

    craft = Craft(
        task, ground.batch, ground.must_match, task.state, task.restore, export,
        lambda: validation.gpt_metrics(task.model, ground.held, device),
        change, sample,
        lambda: validation.gpt_metrics(task.model, few, device)["cross_entropy"],
    )  # fmt: skip
    return TrainingStage(room, craft, ground.newest, ground.checkpoints)


def _noted(room: Room, stage: str, written: interop.ExportedFile) -> Export:
    write_trained(Path(room.layout.features(room.spec.voice)), stage, written.path.name)
    return Export(written.path, stage, written.bytes, written.sha256)


def moved(trained: State, start: State) -> float:
    """Norm of what training changed in an exported (float16) state; rounding does not count."""
    total = 0.0
    for name, value in trained.items():
        before = start.get(name)
        if before is not None and before.shape == value.shape and value.is_floating_point():
            total += float((value.float() - before.to(value.dtype).float()).square().sum())
    return math.sqrt(total)


def _ground(
    room: Room,
    base: Base,
    features: Features,
    stage: str,
    fault: Callable[[Clip], Any],
    own: Mapping[str, Any],
) -> Ground:
    usable, left_out = select(features.clips, fault)
    _announce(room, stage, (*features.incomplete, *left_out), len(features.clips))
    training, held = hold_out(usable)
    keep_all = room.spec.value(f"{stage}.keep_resume") == "all"
    folder = Path(room.layout.features(room.spec.voice)) / "states" / stage
    checkpoints = Checkpoints(folder, keep_all=keep_all)
    newest = checkpoints.newest()
    must_match = {
        "dataset": features.digest, "base": base.identity, "preset": room.spec.preset,
        "schedule": room.spec.value("train.schedule"), "seed": room.spec.value("train.seed"),
        "gpus": room.peers.world, **own,
    }  # fmt: skip
    batch = _batch(room, stage, len(training), newest, must_match)
    must_match["batch_size"] = batch
    return Ground(training, held, batch, checkpoints, newest, must_match)


def _batch(room: Room, stage: str, clips: int, newest: Any, must_match: Mapping[str, Any]) -> int:
    """The asked-for batch size; auto keeps that of the state it goes on from."""
    wanted = room.spec.value(f"{stage}.batch_size")
    state, _ = newest
    kept = state.facts["must_match"] if state is not None else {}
    if wanted == "auto" and all(kept.get(name) == value for name, value in must_match.items()):
        return int(kept["batch_size"])
    world = room.peers.world
    memory = room.device.memory_total if room.device.kind == "cuda" else None
    batch = auto_batch(stage, clips, memory, world) if wanted == "auto" else int(wanted)
    if stage == "gpt" and room.spec.value("gpt.dpo"):
        batch = max(1, batch // 2)
    if room.spec.value("train.schedule") == "fixed":
        check_batch(clips, Sizes(batch, world), f"{stage}.batch_size")
    elif clips == 0:
        raise Problem("engine.training.few_clips", ExitCode.DATA, clips=0, gpus=world)
    elif stage == "gpt":
        batch = gpt_batch_size(batch, clips * upstream_repeats(clips))
    return batch


def _announce(room: Room, stage: str, left_out: Sequence[LeftOut], total: int) -> None:
    if not left_out:
        return
    # One sentence in each language; the reasons are texts themselves.
    named = left_out[:_NAMED]
    rest = f" (+{len(left_out) - _NAMED})" if len(left_out) > _NAMED else ""
    facts = {"stage": stage, "count": len(left_out), "total": total}
    notice = Problem("engine.training.left_out", ExitCode.DATA, clips="", **facts).as_json()
    notice["message"] = {
        language: text(
            "engine.training.left_out",
            clips="; ".join(f"{one.name}: {one.why.get(language)}" for one in named) + rest,
            **facts,
        ).get(language)
        for language in LANGUAGES
    }
    room.emit("warning", stage, **notice)


def _precision(room: Room) -> Any:
    return choose_precision(room.spec.value("train.precision"), room.device)


def _facts(room: Room, stage: str, ground: Ground, metrics: Mapping[str, float]) -> dict[str, Any]:
    """What the sidecar of an exported file says about how it came to be."""
    named = [name for name in PARAMS if name.split(".")[0] in ("train", stage)]
    return {
        "parameters": {name: room.spec.value(name) for name in named},
        "torch": torch.__version__,
        "metrics": dict(metrics), "batch_size": ground.batch, "clips": len(ground.training),
        "held_out": len(ground.held), **ground.must_match,
    }  # fmt: skip
