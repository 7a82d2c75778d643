"""The stages of a run, each a function of the run's context and the progress before it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.prepare.adopted_folder import adopted_items, is_finished_elsewhere
from sovdeck.engine.prepare.pipeline import prepare
from sovdeck.engine.runs.launch_workers import run_workers
from sovdeck.engine.runs.planned_stages import count_listed_clips
from sovdeck.engine.runtime.selected_weights import find_newest_weight
from sovdeck.engine.runtime.signals import with_stop_check
from sovdeck.engine.speaking.sample_speaker import SampleReference, SampleSpeaker
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.open_lexicon import open_lexicon, open_polyphones
from sovdeck.engine.training.builders import build_gpt_stage, build_sovits_stage
from sovdeck.engine.training.context import Export, RunContext, StageOutcome
from sovdeck.engine.training.features import read_features
from sovdeck.engine.training.initial_weights import (
    InitialWeights,
    is_written,
    open_initial_weights,
    write_initial_weights,
)
from sovdeck.engine.training.resume import retry_while_disk_full
from sovdeck.engine.training.stage import TrainingStage
from sovdeck.engine.voice.pack import pack_voice
from sovdeck.engine.voice.reference_clip import read_reference, write_reference


@dataclass
class RunProgress:
    """Results of the stages of one run so far."""

    initial_weights: InitialWeights
    outcomes: list[StageOutcome] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    proof_seconds: float | None = None
    speaker: SampleSpeaker | None = None  # what spoke samples, with its models loaded


def begin_run(context: RunContext) -> RunProgress:
    """Open the initial weights; Problem when a pretrained set is missing."""
    initial = open_initial_weights(context.spec, context.layout)
    if not initial.pretrained:
        notice = Problem("engine.run.from_nothing", ExitCode.OK, preset=context.spec.preset)
        context.emit("warning", None, **notice.as_json())
    return RunProgress(initial)


def run_stage(name: str, context: RunContext, progress: RunProgress) -> None:
    """Run one stage by name; see `sovdeck.engine.contract.events.STAGES`."""
    _STAGES[name](context, progress)


def _run_prepare(context: RunContext, progress: RunProgress) -> None:
    started = time.monotonic()
    initial = progress.initial_weights
    if initial.pretrained and is_finished_elsewhere(context.spec, context.layout):
        _adopt_folder(context, initial, started)
        return
    fresh = not is_written(initial)
    device = context.device.torch_device
    synthesizer = initial.defer_synthesizer(device)
    clips = count_listed_clips(context.spec, context.layout)
    context.emit("stage_started", "prepare", total=clips, unit="items")
    prepared = prepare(
        context.spec,
        context.layout,
        encoders=initial.encoders(device),
        synthesizer=synthesizer,
        emit=with_stop_check(context.emit, context.stop),
        fit_seed=initial.seed if fresh else None,
    )
    if fresh:
        progress.initial_weights = write_initial_weights(initial, synthesizer.get().cpu())
    write_reference(prepared.folder, prepared.items)
    context.emit(
        "stage_finished",
        "prepare",
        updates=0,
        seconds=time.monotonic() - started,
        items=len(prepared.items),
        audio_seconds=prepared.seconds,
        redone=prepared.remade,
    )


def _adopt_folder(context: RunContext, initial: InitialWeights, started: float) -> None:
    """Take logs/NAME as it came, once it is sure that a clip of it is whole."""
    folder = _features_folder(context)
    features = read_features(folder, speakers=initial.sovits_config.takes_speaker)
    context.emit("stage_started", "prepare", total=len(features.clips), unit="items")
    notice = Problem("engine.data.adopted", ExitCode.OK, folder=folder.name)
    context.emit("warning", "prepare", **notice.as_json())
    items = adopted_items(folder, {clip.name: clip.seconds for clip in features.clips})
    write_reference(folder, items)
    context.emit(
        "stage_finished",
        "prepare",
        updates=0,
        seconds=time.monotonic() - started,
        items=len(items),
        audio_seconds=sum(item.seconds for item in items),
        redone=0,
    )


def _run_sovits(context: RunContext, progress: RunProgress) -> None:
    _run_training(context, progress, "sovits")


def _run_gpt(context: RunContext, progress: RunProgress) -> None:
    _run_training(context, progress, "gpt")


def _run_training(context: RunContext, progress: RunProgress, name: str) -> None:
    initial = _require_initial_weights(progress)
    gpus = context.spec.settings.train.gpu_count
    if gpus > 1:
        torch.cuda.empty_cache()  # memory cached by the prepare stage is for the workers
        outcome = run_workers(context, name, gpus)
    else:
        progress.speaker = progress.speaker or make_sample_speaker(context, initial)
        outcome = make_training_stage(name, context, initial, progress.speaker).run()
    if initial.pretrained and outcome.updates and not outcome.loss_fell:
        notice = Problem(
            "engine.training.loss_rose",
            ExitCode.OK,
            stage=outcome.name,
            before=f"{outcome.loss_before:.4g}",
            after=f"{outcome.loss_after:.4g}",
        )
        context.emit("warning", outcome.name, **notice.as_json())
    progress.outcomes.append(outcome)
    progress.exports.append(outcome.export)


def make_training_stage(
    name: str, context: RunContext, initial: InitialWeights, speaker: SampleSpeaker
) -> TrainingStage:
    """Build a training stage, to run in one process or in one of several.

    `speaker` speaks the samples of the GPT stage.
    """
    folder = _features_folder(context)
    if name == "sovits":
        speakers = initial.sovits_config.takes_speaker
        return build_sovits_stage(context, initial, read_features(folder, speakers=speakers))

    def speak(gpt: Path, text: str, out: Path) -> float:
        return _speak_sample(context, initial, speaker, gpt, text, "", out)

    return build_gpt_stage(context, initial, read_features(folder), speak)


def make_sample_speaker(context: RunContext, initial: InitialWeights) -> SampleSpeaker:
    """What speaks samples and proof, where training runs; it loads nothing before it speaks."""

    def lexicon() -> Lexicon:
        spec, layout = context.spec, context.layout
        spoken = {read_reference(_features_folder(context)).language}
        if spec.proof_text:
            spoken.add(spec.proof_language)
        # Why the model could not be used was reported when the data was prepared.
        polyphones = open_polyphones(layout)[0] if "zh" in spoken else None
        return open_lexicon(layout, spec.voice, polyphones)

    return SampleSpeaker(initial.encoders, lexicon, context.device.torch_device)


def _run_proof(context: RunContext, progress: RunProgress) -> None:
    started = time.monotonic()
    context.emit("stage_started", "proof", total=1, unit="sentences")
    initial, spec = _require_initial_weights(progress), context.spec
    text, language = spec.proof_text, spec.proof_language
    if not text:
        reference = read_reference(_features_folder(context))
        text, language = reference.text, reference.language
    gpt = _newest_weight(context, initial, context.layout.gpt_weights)
    out = _features_folder(context) / "proof.wav"
    speaker = progress.speaker or make_sample_speaker(context, initial)
    seconds = retry_while_disk_full(
        lambda: _speak_sample(context, initial, speaker, gpt, text, language, out),
        context.emit,
        context.stop,
        "proof",
    )
    progress.speaker = None  # nothing more is spoken: its memory is for the pack
    if seconds <= 0:
        raise Problem("engine.run.silent_proof", ExitCode.DATA)
    progress.proof_seconds = seconds
    export = Export(out, "proof", out.stat().st_size, file_sha256(out))
    _emit_export(context, progress, export, "proof", text=text, seconds=seconds)
    context.emit("sample", "proof", path=context.relative_path(out), text=text, seconds=seconds)
    context.emit("stage_finished", "proof", updates=0, seconds=time.monotonic() - started)


def _run_pack(context: RunContext, progress: RunProgress) -> None:
    started = time.monotonic()
    context.emit("stage_started", "pack", total=1, unit="files")
    packed = pack_voice(context.layout, context.spec.voice, context.spec.settings.pack.contents)
    export = Export(packed.path, "pack", packed.bytes, packed.sha256)
    _emit_export(context, progress, export, "pack", files=list(packed.files))
    context.emit("stage_finished", "pack", updates=0, seconds=time.monotonic() - started)


def _speak_sample(
    context: RunContext,
    initial: InitialWeights,
    speaker: SampleSpeaker,
    gpt: Path,
    text: str,
    language: str,
    out: Path,
) -> float:
    """Speak after the voice's reference, by default in its language; seconds of what was said."""
    folder = _features_folder(context)
    reference = read_reference(folder)
    return speaker.speak(
        gpt,
        _newest_weight(context, initial, context.layout.sovits_weights),
        SampleReference(folder / "reference" / reference.wav, reference.text, reference.language),
        text,
        language or reference.language,
        out,
    )


def _newest_weight(
    context: RunContext,
    initial: InitialWeights,
    folder_of: Callable[[str, str], PurePosixPath],
) -> Path:
    folder = folder_of(context.spec.voice, initial.sovits_config.version)
    return find_newest_weight(_features_folder(context), Path(folder))


def _emit_export(
    context: RunContext, progress: RunProgress, export: Export, stage: str, **more: Any
) -> None:
    progress.exports.append(export)
    context.emit(
        "export",
        stage,
        path=context.relative_path(export.path),
        kind=export.kind,
        bytes=export.bytes,
        sha256=export.sha256,
        **more,
    )


def _features_folder(context: RunContext) -> Path:
    return Path(context.layout.features(context.spec.voice))


def _require_initial_weights(progress: RunProgress) -> InitialWeights:
    if not is_written(progress.initial_weights):
        raise Problem(
            "engine.training.not_prepared",
            ExitCode.DATA,
            folder=progress.initial_weights.folder.parent.name,
        )
    return progress.initial_weights


_STAGES: dict[str, Callable[[RunContext, RunProgress], None]] = {
    "prepare": _run_prepare,
    "sovits": _run_sovits,
    "gpt": _run_gpt,
    "proof": _run_proof,
    "pack": _run_pack,
}
