"""The stages of a run, each a function of the room and what came before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.contract.problem import ExitCode, Problem
from engine.models.frozen.text_encoder import TextEncoder
from engine.pack import newest_weight, pack
from engine.prepare.pipeline import prepare
from engine.reference import read_reference, write_reference
from engine.run_plan import listed_clips
from engine.runtime.durable import sha256
from engine.runtime.signals import stopping
from engine.speaking.proof import speak_proof
from engine.text.aids import open_lexicon, open_polyphones
from engine.training.base import (
    TEXT_FOLDER,
    Base,
    is_made,
    make_base,
    open_base,
    unmade_synthesizer,
)
from engine.training.crafting import gpt_stage, sovits_stage
from engine.training.features import read_features
from engine.training.resume import patiently
from engine.training.room import Export, Room, StageOutcome
from engine.training.stage import TrainingStage
from engine.workers import run_workers


@dataclass
class Progress:
    """What the stages of one run have come to so far."""

    base: Base
    outcomes: list[StageOutcome] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    proof_seconds: float | None = None


def begin(room: Room) -> Progress:
    """Open the starting weights; Problem when a pretrained set is missing."""
    base = open_base(room.spec, room.layout)
    if not base.pretrained:
        notice = Problem("engine.run.from_nothing", ExitCode.OK, preset=room.spec.preset)
        room.emit("warning", None, **notice.as_json())
    return Progress(base)


def run_stage(name: str, room: Room, progress: Progress) -> None:
    """Run one stage by name; see `engine.contract.events.STAGES`."""
    _STAGES[name](room, progress)


def _prepare(room: Room, progress: Progress) -> None:
    started = time.monotonic()
    base = progress.base
    fresh = not is_made(base)
    synthesizer = unmade_synthesizer(base) if fresh else base.synthesizer()
    device = room.device.torch
    synthesizer.to(device).eval()
    clips = listed_clips(room.spec, room.layout)
    room.emit("stage_started", "prepare", total=clips, unit="items")
    prepared = prepare(
        room.spec, room.layout, content=base.content().to(device), base_sovits=synthesizer,
        emit=stopping(room.emit, room.stop), text_encoder=_text_encoder(base, device),
        fit_seed=base.seed if fresh else None,
    )  # fmt: skip
    if fresh:
        progress.base = make_base(base, synthesizer.cpu())
    write_reference(prepared.folder, prepared.items)
    room.emit(
        "stage_finished", "prepare", updates=0, seconds=time.monotonic() - started,
        items=len(prepared.items), audio_seconds=prepared.seconds, redone=prepared.redone,
    )  # fmt: skip


def _text_encoder(base: Base, device: Any) -> TextEncoder | None:
    folder = base.folder / TEXT_FOLDER
    if not base.pretrained or not folder.is_dir():
        return None
    return TextEncoder.load(folder, device=device)


def _sovits(room: Room, progress: Progress) -> None:
    _train(room, progress, "sovits")


def _gpt(room: Room, progress: Progress) -> None:
    _train(room, progress, "gpt")


def _train(room: Room, progress: Progress, name: str) -> None:
    base = _made(progress)
    gpus = room.spec.value("train.gpus").split("-")
    if len(gpus) > 1:
        torch.cuda.empty_cache()  # what preparing has left is the workers' to use
        outcome = run_workers(room, name, len(gpus))
    else:
        outcome = training_stage(name, room, base).run()
    if base.pretrained and outcome.updates and not outcome.loss_fell:
        notice = Problem(
            "engine.training.loss_rose", ExitCode.OK, stage=outcome.name,
            before=f"{outcome.before:.4g}", after=f"{outcome.after:.4g}",
        )  # fmt: skip
        room.emit("warning", outcome.name, **notice.as_json())
    progress.outcomes.append(outcome)
    progress.exports.append(outcome.export)


def training_stage(name: str, room: Room, base: Base) -> TrainingStage:
    """A training stage ready to run, in a process of its own or as one of several."""
    features = read_features(_folder(room))
    if name == "sovits":
        return sovits_stage(room, base, features)
    content = None

    def speak(gpt: Path, text: str, out: Path) -> float:
        nonlocal content
        content = content or base.content()
        return _speak(room, base, content, gpt, text, read_reference(_folder(room)).language, out)

    return gpt_stage(room, base, features, speak)


def _proof(room: Room, progress: Progress) -> None:
    started = time.monotonic()
    room.emit("stage_started", "proof", total=1, unit="sentences")
    base, spec = _made(progress), room.spec
    reference = read_reference(_folder(room))
    text, language = spec.proof_text, spec.proof_language
    if not text:
        text, language = reference.text, reference.language
    gpt = newest_weight(_folder(room), Path(room.layout.gpt_weights(spec.voice)))
    out = _folder(room) / "proof.wav"
    seconds = patiently(
        lambda: _speak(room, base, base.content(), gpt, text, language, out),
        room.emit, room.stop, "proof",
    )  # fmt: skip
    if seconds <= 0:
        raise Problem("engine.run.silent_proof", ExitCode.DATA)
    progress.proof_seconds = seconds
    export = Export(out, "proof", out.stat().st_size, sha256(out))
    _announce(room, progress, export, "proof", text=text, seconds=seconds)
    room.emit("sample", "proof", path=room.relative(out), text=text, seconds=seconds)
    room.emit("stage_finished", "proof", updates=0, seconds=time.monotonic() - started)


def _pack(room: Room, progress: Progress) -> None:
    started = time.monotonic()
    room.emit("stage_started", "pack", total=1, unit="files")
    packed = pack(room.layout, room.spec.voice, room.spec.value("pack.contents"))
    export = Export(packed.path, "pack", packed.bytes, packed.sha256)
    _announce(room, progress, export, "pack", files=list(packed.files))
    room.emit("stage_finished", "pack", updates=0, seconds=time.monotonic() - started)


def _speak(
    room: Room, base: Base, content: Any, gpt: Path, text: str, language: str, out: Path
) -> float:
    folder = _folder(room)
    reference = read_reference(folder)
    # What kept a model from being used was said when the data was prepared.
    polyphones = open_polyphones(room.layout)[0] if language == "zh" else None
    return speak_proof(
        gpt, newest_weight(folder, Path(room.layout.sovits_weights(room.spec.voice))), content,
        folder / "reference" / reference.wav, reference.text, text, language, out,
        reference_language=reference.language,
        text_encoder=_text_encoder(base, "cpu") if language == "zh" else None,
        lexicon=open_lexicon(room.layout, room.spec.voice, polyphones),
    )  # fmt: skip


def _announce(room: Room, progress: Progress, export: Export, stage: str, **more: Any) -> None:
    progress.exports.append(export)
    room.emit(
        "export", stage, path=room.relative(export.path), kind=export.kind,
        bytes=export.bytes, sha256=export.sha256, **more,
    )  # fmt: skip


def _folder(room: Room) -> Path:
    return Path(room.layout.features(room.spec.voice))


def _made(progress: Progress) -> Base:
    if not is_made(progress.base):
        raise Problem(
            "engine.training.not_prepared", ExitCode.DATA, folder=progress.base.folder.parent.name
        )
    return progress.base


_STAGES: dict[str, Callable[[Room, Progress], None]] = {
    "prepare": _prepare, "sovits": _sovits, "gpt": _gpt, "proof": _proof, "pack": _pack,
}  # fmt: skip
