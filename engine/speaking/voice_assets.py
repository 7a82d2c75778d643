"""What a voice can speak with: its weights, its best reference clips, and added clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import read_optional_facts, to_text
from sovdeck.engine.contract.layout import check_voice_name, is_voice_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.reference_segment import MAX_REFERENCE_S
from sovdeck.engine.speaking.clip_ranking import ClipScore, rank_clips
from sovdeck.engine.speaking.reference import best_window, read_reference
from sovdeck.engine.speaking.voice_loader import VoiceLoader

_PEAK_COUNT = 64
_MAX_RANKED_CLIPS = 40


def list_voice_assets(loader: VoiceLoader) -> dict[str, Any]:
    """List weights oldest first; references best first, after the clips the user added."""
    added = [_added_row(path) for path in sorted(loader.references_folder.glob("*.wav"))]
    ranked = [_ranked_row(score) for score in rank_clips(loader.clips())[:_MAX_RANKED_CLIPS]]
    return {
        "voice": loader.voice,
        "gpt": [weight.as_json() for weight in loader.gpt_weights()],
        "sovits": [weight.as_json() for weight in loader.sovits_weights()],
        "reference": loader.prepared_reference() or None,
        "references": added + ranked,
    }


def add_reference(
    loader: VoiceLoader,
    clip: Path,
    *,
    window: tuple[float, float] | None = None,
    trim: bool = False,
    text: str = "",
    language: str = "",
    name: str = "",
) -> dict[str, Any]:
    """Add `clip` to the references of the voice, cut to `window` or to its best stretch.

    It is called `name`, else as its file. Returns its row of `list_voice_assets`. Problem as
    `read_reference` when it cannot be imitated, or where another clip has the name; then nothing
    is kept.
    """
    samples, rate = load_mono(clip)
    samples = resample(np.asarray(samples, dtype=np.float32), rate, SPEECH_SAMPLE_RATE)
    if window is None and trim and len(samples) > MAX_REFERENCE_S * SPEECH_SAMPLE_RATE:
        window = best_window(samples)
    if window is not None:
        start, end = (round(max(0.0, second) * SPEECH_SAMPLE_RATE) for second in window)
        samples = samples[start:end]
    folder = loader.references_folder
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{clip.stem}.wav"
    write_atomic(temporary, encode_wav(samples))
    try:
        read_reference(temporary)
    except Problem as problem:
        # Naming the user's own file, not our copy.
        raise Problem(
            problem.key, problem.exit_code, **{**problem.facts, "file": clip.name}
        ) from None
    else:
        path = _free_path(loader, name, clip, temporary.read_bytes())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    transcript = {"text": text, "language": language}
    write_atomic(path.with_suffix(".json"), json.dumps(transcript, ensure_ascii=False).encode())
    return _added_row(path)


def name_reference(loader: VoiceLoader, clip: Path, name: str) -> dict[str, Any]:
    """Call a clip of the voice `name`, under which requests may ask for it; its row.

    A clip that was added gets another name; a recording of the dataset is copied, with its words.
    Problem for a name that another clip has, and for a clip that is not the voice's.
    """
    clip = clip.resolve()
    folder = loader.references_folder.resolve()
    _require_free_name(loader, name, except_for=clip)
    if clip.parent == folder and clip.is_file():
        target = folder / f"{name}.wav"
        record = clip.with_suffix(".json")
        if record.is_file():  # before the clip: a name whose clip is there has its words
            record.replace(target.with_suffix(".json"))
        clip.replace(target)
        return _added_row(target)
    known = next((one for one in loader.clips() if one.path.resolve() == clip), None)
    if known is None:
        raise Problem("engine.speaking.reference_missing", ExitCode.DATA, file=clip.name)
    return add_reference(
        loader, clip, trim=True, text=known.text, language=known.language, name=name
    )


def _require_free_name(loader: VoiceLoader, name: str, except_for: Path | None = None) -> None:
    """Problem for what cannot be a name, or is one: `Happy` and `happy` are one file elsewhere."""
    if not is_voice_name(name):
        raise Problem("engine.speaking.bad_reference_name", ExitCode.CONFIG, name=name)
    for path in loader.references_folder.glob("*.wav"):
        if path.stem.casefold() == name.casefold() and path.resolve() != except_for:
            facts = {"name": path.stem, "voice": loader.voice}
            raise Problem("engine.speaking.reference_name_taken", ExitCode.CONFIG, **facts)


def _free_path(loader: VoiceLoader, name: str, clip: Path, content: bytes) -> Path:
    """`name.wav`, else as the clip is called with the first number that is not another's."""
    folder = loader.references_folder
    stem = name or check_voice_name(clip.stem)
    path, number = folder / f"{stem}.wav", 1
    if name:
        same = path.is_file() and path.read_bytes() == content
        _require_free_name(loader, name, except_for=path.resolve() if same else None)
        return path
    while path.is_file() and path.read_bytes() != content:
        number += 1
        path = folder / f"{stem}-{number}.wav"
    return path


def _added_row(path: Path) -> dict[str, Any]:
    samples, rate = load_mono(path)
    transcript = read_optional_facts(path.with_suffix(".json"))
    return {
        "path": str(path),
        "name": path.stem,
        "text": to_text(transcript.get("text")),
        "language": to_text(transcript.get("language")),
        "seconds": round(len(samples) / rate, 3),
        "score": None,
        "peaks": peak_levels(samples),
        "window": None,
        **_file_facts(path),
    }


def _ranked_row(score: ClipScore) -> dict[str, Any]:
    clip = score.clip
    samples, rate = load_mono(clip.path)
    window = None
    if score.seconds > MAX_REFERENCE_S:
        window = best_window(
            resample(np.asarray(samples, dtype=np.float32), rate, SPEECH_SAMPLE_RATE)
        )
    return {
        "path": str(clip.path),
        "name": "",
        "text": clip.text,
        "language": clip.language,
        "seconds": round(score.seconds, 3),
        "score": round(score.value, 3),
        "peaks": peak_levels(samples),
        "window": window,
        **_file_facts(clip.path),
    }


def _file_facts(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def peak_levels(samples: Sequence[float] | np.ndarray, count: int = _PEAK_COUNT) -> list[float]:
    """The greatest amplitude of each of `count` stretches of samples (N,), 0 to 1."""
    parts = np.array_split(np.abs(np.asarray(samples)), min(count, max(1, len(samples))))
    return [round(min(1.0, float(part.max(initial=0.0))), 3) for part in parts]
