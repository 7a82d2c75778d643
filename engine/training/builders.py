"""Builders of both training stages: clips, batch size, model, saved states, export."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine import interop
from sovdeck.engine.contract.catalogue import LANGUAGES, text
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import RunSettings
from sovdeck.engine.contract.time_model import SavedClips
from sovdeck.engine.contract.updates import (
    GPT_ACCUMULATION_STEPS,
    auto_batch_size,
    fixed_repeats,
    upstream_repeats,
)
from sovdeck.engine.runtime.arithmetic import set_arithmetic
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.device import Precision, choose_precision
from sovdeck.engine.runtime.selected_weights import write_last_trained
from sovdeck.engine.training import samples, validation
from sovdeck.engine.training.batch_schedule import BatchSizes, check_batch
from sovdeck.engine.training.context import Export, RunContext, StageHooks
from sovdeck.engine.training.features import (
    ExcludedClip,
    Features,
    TrainingClip,
    gpt_exclusion,
    hold_out,
    select_clips,
    sovits_exclusion,
)
from sovdeck.engine.training.gpt_task import GptSettings, GptTask
from sovdeck.engine.training.initial_weights import InitialWeights
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.resume import saved_settings
from sovdeck.engine.training.sovits_task import SovitsSettings, SovitsTask
from sovdeck.engine.training.stage import TrainingStage
from sovdeck.engine.training.upstream_schedule import gpt_batch_size

# Training clips that show whether anything was learnt. Held-out ones would not: a model from
# nothing that knows a dozen clips by heart does worse on others, and has still been trained.
_FIXED_LOSS_CLIPS = 4
_MAX_NAMED_CLIPS = 8  # clips a sentence lists before it stops
StateDict = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class StageInputs:
    """What is known of a stage before its model is built: clips, batch size, saved states."""

    training_clips: tuple[TrainingClip, ...]
    held_out_clips: tuple[TrainingClip, ...]
    batch_size: int
    repeats: int  # of the set in an epoch
    checkpoints: CheckpointStore
    newest: Any
    must_match: Mapping[str, Any]


def build_sovits_stage(
    context: RunContext, initial_weights: InitialWeights, features: Features
) -> TrainingStage:
    """Build the SoVITS stage, ready to run; Problem when it has too few usable clips."""
    wanted = context.spec.settings
    inputs = _collect_inputs(
        context,
        initial_weights,
        features,
        "sovits",
        sovits_exclusion,
        {"text_lr_scale": wanted.sovits.text_lr_scale},
    )
    settings = SovitsSettings(
        BatchSizes(inputs.batch_size, context.peers.world_size),
        wanted.train.seed,
        wanted.train.schedule,
        inputs.repeats,
        wanted.sovits.text_lr_scale,
    )
    task = SovitsTask(
        initial_weights.build_synthesizer(),
        initial_weights.build_discriminator(),
        inputs.training_clips,
        settings,
        context.device,
        _choose_precision(context),
        context.peers,
        gradient_checkpointing=wanted.sovits.grad_checkpoint,
    )
    version = initial_weights.sovits_config.version
    folder = Path(context.layout.sovits_weights(context.spec.voice, version))

    def export(epoch: int, position: Position, metrics: Mapping[str, float]) -> Export:
        written = interop.write_sovits(
            folder,
            context.spec.voice,
            epoch,
            position.step,
            task.generator.state_dict(),
            initial_weights.sovits_config,
            _sidecar_facts(context, "sovits", inputs, metrics),
        )
        return _record_export(context, "sovits", written)

    def measure_change(path: Path) -> float:
        return change_norm(interop.read_sovits(path).state, initial_weights.load_state("sovits"))

    def sample(epoch: int, path: Path) -> None:
        samples.resynthesise(
            context, task.generator, inputs.held_out_clips or inputs.training_clips, epoch
        )

    def measure(clips: Sequence[TrainingClip]) -> dict[str, float]:
        return validation.sovits_metrics(task.generator, clips, context.device.torch_device)

    return _build_stage(context, inputs, task, export, measure, "mel", measure_change, sample)


def build_gpt_stage(
    context: RunContext,
    initial_weights: InitialWeights,
    features: Features,
    speak: samples.SpeakSample,
) -> TrainingStage:
    """Build the GPT stage, ready to run; `speak` speaks a sample with a freshly exported file."""
    wanted = context.spec.settings
    inputs = _collect_inputs(
        context, initial_weights, features, "gpt", gpt_exclusion, {"dpo": wanted.gpt.dpo}
    )
    settings = GptSettings(
        BatchSizes(inputs.batch_size, context.peers.world_size, GPT_ACCUMULATION_STEPS),
        wanted.train.seed,
        wanted.train.schedule,
        inputs.repeats,
        wanted.gpt.dpo,
    )
    task = GptTask(
        initial_weights.build_text2semantic(),
        inputs.training_clips,
        settings,
        context.device,
        _choose_precision(context),
        context.peers,
    )
    version = initial_weights.sovits_config.version
    folder = Path(context.layout.gpt_weights(context.spec.voice, version))

    def export(epoch: int, position: Position, metrics: Mapping[str, float]) -> Export:
        written = interop.write_gpt(
            folder,
            context.spec.voice,
            epoch,
            task.model.state_dict(),
            initial_weights.gpt_config,
            _sidecar_facts(context, "gpt", inputs, metrics),
        )
        return _record_export(context, "gpt", written)

    def measure_change(path: Path) -> float:
        return change_norm(interop.read_gpt(path).state, initial_weights.load_state("gpt"))

    def sample(epoch: int, path: Path) -> None:
        samples.speak_clips(
            context, speak, path, inputs.held_out_clips or inputs.training_clips, epoch
        )

    def measure(clips: Sequence[TrainingClip]) -> dict[str, float]:
        return validation.gpt_metrics(task.model, clips, context.device.torch_device)

    loss = "cross_entropy"
    return _build_stage(context, inputs, task, export, measure, loss, measure_change, sample)


def _build_stage(
    context: RunContext,
    inputs: StageInputs,
    task: SovitsTask | GptTask,
    export: Callable[[int, Position, Mapping[str, float]], Export],
    measure: Callable[[Sequence[TrainingClip]], dict[str, float]],
    loss: str,
    measure_change: Callable[[Path], float],
    sample: Callable[[int, Path], None],
) -> TrainingStage:
    """measure: metrics over clips, without randomness; loss: which of them shows learning."""
    fixed_clips = inputs.training_clips[:_FIXED_LOSS_CLIPS]
    hooks = StageHooks(
        task,
        inputs.batch_size,
        inputs.must_match,
        task.state_dict,
        task.load_state_dict,
        export,
        lambda: measure(inputs.held_out_clips),
        measure_change,
        sample,
        lambda: measure(fixed_clips)[loss],
        SavedClips.of(
            len(inputs.training_clips),
            len(inputs.held_out_clips),
            [clip.seconds for clip in (*inputs.training_clips, *inputs.held_out_clips)],
        ),
    )
    return TrainingStage(context, hooks, inputs.newest, inputs.checkpoints)


def _record_export(context: RunContext, stage: str, written: interop.ExportedFile) -> Export:
    write_last_trained(Path(context.layout.features(context.spec.voice)), written.path)
    return Export(written.path, stage, written.bytes, written.sha256)


def change_norm(trained: StateDict, start: StateDict) -> float:
    """L2 norm of what training changed in an exported (float16) state; rounding does not count."""
    total = 0.0
    for name, value in trained.items():
        start_value = start.get(name)
        if (
            start_value is not None
            and start_value.shape == value.shape
            and value.is_floating_point()
        ):
            total += float((value.float() - start_value.to(value.dtype).float()).square().sum())
    return math.sqrt(total)


def _collect_inputs(
    context: RunContext,
    initial_weights: InitialWeights,
    features: Features,
    stage: str,
    exclusion: Callable[[TrainingClip], Any],
    stage_settings: Mapping[str, Any],
) -> StageInputs:
    usable, excluded = select_clips(features.clips, exclusion)
    _warn_excluded(context, stage, (*features.incomplete, *excluded), len(features.clips))
    training, held_out = hold_out(usable)
    wanted = context.spec.settings
    keep_all = wanted.stage(stage).keep_resume == "all"
    states = context.layout.states(context.spec.voice, initial_weights.sovits_config.version)
    checkpoints = CheckpointStore(Path(states) / stage, keep_all=keep_all)
    newest = checkpoints.find_newest()
    repeats = _choose_repeats(wanted.train, len(usable), newest, features.digest)
    must_match = {
        "dataset": features.digest,
        "base": initial_weights.identity,
        "preset": context.spec.preset,
        "schedule": wanted.train.schedule,
        "repeats": repeats,
        "seed": wanted.train.seed,
        "gpus": context.peers.world_size,
        **stage_settings,
    }
    batch = _choose_batch_size(context, stage, len(training), newest, must_match)
    must_match["batch_size"] = batch
    return StageInputs(training, held_out, batch, repeats, checkpoints, newest, must_match)


def _choose_repeats(wanted: RunSettings, clips: int, newest: Any, digest: str) -> int:
    """How often an epoch shows the set; "auto" keeps what the saved state was trained with."""
    state, _ = newest
    if wanted.repeats == "auto" and state is not None and wanted.on_change == "stop":
        saved = saved_settings(state)
        if saved.get("dataset") == digest and "repeats" in saved:
            return int(saved["repeats"])
    return fixed_repeats(clips, wanted.repeats)


def _choose_batch_size(
    context: RunContext, stage: str, clips: int, newest: Any, must_match: Mapping[str, Any]
) -> int:
    """The requested batch size; "auto" keeps that of the saved state it resumes from."""
    wanted = context.spec.settings
    requested = wanted.stage(stage).batch_size
    state, _ = newest
    saved = saved_settings(state) if state is not None else {}
    if requested == "auto" and all(saved.get(name) == value for name, value in must_match.items()):
        return int(saved["batch_size"])
    world = context.peers.world_size
    memory = context.device.memory_total if context.device.kind == "cuda" else None
    batch = auto_batch_size(stage, clips, memory, world) if requested == "auto" else requested
    if stage == "gpt" and wanted.gpt.dpo:
        batch = max(1, batch // 2)
    if wanted.train.schedule == "fixed":
        check_batch(clips, BatchSizes(batch, world), f"{stage}.batch_size")
    elif clips == 0:
        raise Problem("engine.training.few_clips", ExitCode.DATA, clips=0, gpus=world)
    elif stage == "gpt":
        batch = gpt_batch_size(batch, clips * upstream_repeats(clips))
    return batch


def _warn_excluded(
    context: RunContext, stage: str, excluded: Sequence[ExcludedClip], total: int
) -> None:
    if not excluded:
        return
    # One sentence in each language; the reasons are texts themselves.
    listed = excluded[:_MAX_NAMED_CLIPS]
    rest = f" (+{len(excluded) - _MAX_NAMED_CLIPS})" if len(excluded) > _MAX_NAMED_CLIPS else ""
    facts = {"stage": stage, "count": len(excluded), "total": total}
    notice = Problem("engine.training.left_out", ExitCode.DATA, clips="", **facts).as_json()
    notice["message"] = {
        language: text(
            "engine.training.left_out",
            clips="; ".join(f"{clip.name}: {clip.reason.get(language)}" for clip in listed) + rest,
            **facts,
        ).get(language)
        for language in LANGUAGES
    }
    context.emit("warning", stage, **notice)


def _choose_precision(context: RunContext) -> Precision:
    """The number format; what else decides how a GPU rounds is set with it."""
    if context.device.kind == "cuda":
        set_arithmetic(context.spec.settings.train.deterministic)
    return choose_precision(context.spec.settings.train.precision, context.device)


def _sidecar_facts(
    context: RunContext, stage: str, inputs: StageInputs, metrics: Mapping[str, float]
) -> dict[str, Any]:
    """What the sidecar of an exported file says about how it came to be."""
    settings = context.spec.settings.as_params()
    return {
        "parameters": {
            name: value
            for name, value in settings.items()
            if PARAMS[name].group in ("train", stage)
        },
        "torch": torch.__version__,
        "metrics": dict(metrics),
        "batch_size": inputs.batch_size,
        "clips": len(inputs.training_clips),
        "held_out": len(inputs.held_out_clips),
        **inputs.must_match,
    }
