"""What a voice can speak with: its weights, its best reference clips, and clips lent to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.load import load
from engine.audio.resample import resample
from engine.contract.layout import check_name
from engine.contract.problem import Problem
from engine.runtime.durable import write_atomic
from engine.speaking.clips import ClipScore, rank_clips
from engine.speaking.reference import LONGEST_S, best_window, read_reference
from engine.speaking.sound import RATE, wav_bytes
from engine.speaking.studio import Studio

_BARS = 64
_MOST = 40


def shelf(studio: Studio) -> dict[str, Any]:
    """Weights oldest first; references best first, after the clips a person lent."""
    lent = [_lent_row(path) for path in sorted(lent_folder(studio).glob("*.wav"))]
    ranked = [_row(score) for score in rank_clips(studio.clips())[:_MOST]]
    return {
        "voice": studio.voice,
        "gpt": [weight.as_json() for weight in studio.gpt_weights()],
        "sovits": [weight.as_json() for weight in studio.sovits_weights()],
        "reference": studio.reference() or None,
        "references": lent + ranked,
    }


def lend(
    studio: Studio,
    clip: Path,
    *,
    window: tuple[float, float] | None = None,
    trim: bool = False,
    text: str = "",
    language: str = "",
) -> dict[str, Any]:
    """Take `clip` in as a reference of the voice, cut to `window` or to its best stretch.

    Returns its row of the shelf. Problem as `read_reference` when it cannot be imitated; then
    nothing is kept.
    """
    samples, rate = load(clip)
    samples = resample(np.asarray(samples, dtype=np.float32), rate, RATE)
    if window is None and trim and len(samples) > LONGEST_S * RATE:
        window = best_window(samples)
    if window is not None:
        start, end = (round(max(0.0, second) * RATE) for second in window)
        samples = samples[start:end]
    folder = lent_folder(studio)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{clip.stem}.wav"
    write_atomic(fresh, wav_bytes(samples))
    try:
        read_reference(fresh)
    except Problem as problem:
        # In the words of the person's own file, not of our copy.
        raise Problem(
            problem.key, problem.exit_code, **{**problem.facts, "file": clip.name}
        ) from None
    else:
        path = _free(folder, check_name(clip.stem), fresh.read_bytes())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    words = {"text": text, "language": language}
    write_atomic(path.with_suffix(".json"), json.dumps(words, ensure_ascii=False).encode())
    return _lent_row(path)


def lent_folder(studio: Studio) -> Path:
    return studio.work / "references" / studio.voice


def _free(folder: Path, stem: str, content: bytes) -> Path:
    """`stem.wav`, or the first numbered name that is not another recording's."""
    path, number = folder / f"{stem}.wav", 1
    while path.is_file() and path.read_bytes() != content:
        number += 1
        path = folder / f"{stem}-{number}.wav"
    return path


def _lent_row(path: Path) -> dict[str, Any]:
    samples, rate = load(path)
    words: dict[str, Any] = {}
    note = path.with_suffix(".json")
    if note.is_file():
        words = json.loads(note.read_text(encoding="utf-8"))
    return {
        "path": str(path), "text": str(words.get("text", "")),
        "language": str(words.get("language", "")), "seconds": round(len(samples) / rate, 3),
        "score": None, "peaks": outline(samples), "window": None,
    }  # fmt: skip


def _row(score: ClipScore) -> dict[str, Any]:
    clip = score.clip
    samples, rate = load(clip.path)
    window = None
    if score.seconds > LONGEST_S:
        window = best_window(resample(np.asarray(samples, dtype=np.float32), rate, RATE))
    return {
        "path": str(clip.path), "text": clip.text, "language": clip.language,
        "seconds": round(score.seconds, 3), "score": round(score.value, 3),
        "peaks": outline(samples), "window": window,
    }  # fmt: skip


def outline(samples: Sequence[float] | np.ndarray, bars: int = _BARS) -> list[float]:
    """The greatest amplitude of each of `bars` stretches of samples (N,), 0 to 1."""
    parts = np.array_split(np.abs(np.asarray(samples)), min(bars, max(1, len(samples))))
    return [round(min(1.0, float(part.max(initial=0.0))), 3) for part in parts]
