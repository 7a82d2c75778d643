"""Which list a run prepares: the spec's, the pushed one, or one made of bare recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.optional_models import WHISPER
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.prepare.gather import gather
from sovdeck.engine.prepare.transcribe import WhisperTranscriber

# Where a Whisper model is looked for, below the work folder's `pretrained`.
RECOGNISER_FOLDER = WHISPER.folder


def list_file(spec: RunSpec, layout: Layout) -> Path:
    """The spec's list, below the work folder; by default data/NAME/NAME.list."""
    if spec.list_file:
        return Path(layout.work / spec.list_file)
    return Path(layout.dataset(spec.voice) / f"{spec.voice}.list")


def wav_folder(spec: RunSpec, layout: Layout) -> Path | None:
    """Where base names are looked up: the spec's folder, else data/NAME/wavs where it is."""
    if spec.wav_folder:
        return Path(layout.work / spec.wav_folder)
    pushed = Path(layout.dataset(spec.voice) / "wavs")
    return pushed if pushed.is_dir() else None


def find_or_gather_list(spec: RunSpec, layout: Layout, warn: Callable[[Problem], None]) -> Path:
    """`list_file`, made first where the spec names a folder or only recordings were pushed.

    Problem when clips were cut and none of them has a text yet.
    """
    listed = list_file(spec, layout)
    folder = Path(layout.dataset(spec.voice))
    if listed.is_file() or not (listed.is_dir() or (not spec.list_file and folder.is_dir())):
        return listed  # reading it says what is wrong with it
    model = Path(layout.pretrained / RECOGNISER_FOLDER)
    transcriber = WhisperTranscriber(model) if model.is_dir() else None
    if transcriber is not None and transcriber.notice is not None:
        warn(transcriber.notice)
    gathered = gather(
        listed if listed.is_dir() else folder,
        folder / f"{spec.voice}.list",
        speaker=spec.voice,
        transcriber=transcriber,
    )
    facts = {
        "file": str(gathered.list_file),
        "clips": gathered.clips,
        "untold": gathered.untranscribed,
    }
    if gathered.untranscribed == gathered.clips:
        raise Problem("engine.gather.untold", ExitCode.DATA, **facts)
    for problem in (*gathered.problems, Problem("engine.gather.written", ExitCode.OK, **facts)):
        warn(problem)
    return gathered.list_file
