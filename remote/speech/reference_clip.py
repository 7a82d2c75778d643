"""Checks a reference clip on this computer before it is uploaded: length, peaks, best segment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sovdeck.engine.contract.dataset.wav import read_wav
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.reference_segment import (
    LEVELS_PER_SECOND,
    MAX_REFERENCE_S,
    MIN_REFERENCE_S,
    SILENCE_PEAK,
    find_reference_segment,
)

PEAK_COUNT = 64


@dataclass(frozen=True)
class LocalClip:
    """A clip as measured here.

    peaks: amplitudes for drawing, 0 to 1. window: the segment (start, end) in seconds to keep;
    None where the clip fits as it is.
    """

    path: Path
    seconds: float
    peaks: tuple[float, ...] = ()
    window: tuple[float, float] | None = None


def measure_clip(path: Path) -> LocalClip | None:
    """Length, peaks and best segment of a wav; None for formats only the server can read.

    Raises the engine's Problem when it is missing, damaged, silent or too short.
    """
    if not path.is_file():
        raise Problem("remote.speak.no_clip", ExitCode.DATA, file=str(path))
    if path.suffix.lower() not in (".wav", ".wave"):
        return None
    sound = read_wav(path)
    frames = np.asarray(sound.samples, dtype=np.float32) / np.float32(sound.scale)
    whole = len(frames) // sound.channels * sound.channels
    mono = frames[:whole].reshape(-1, sound.channels).mean(axis=1)  # (N,)
    seconds = len(mono) / sound.rate
    if float(np.abs(mono).max(initial=0.0)) < SILENCE_PEAK:
        raise Problem("engine.speaking.reference_silent", ExitCode.DATA, file=path.name)
    if seconds < MIN_REFERENCE_S:
        facts = {"file": path.name, "seconds": round(seconds, 2)}
        raise Problem("engine.speaking.reference_short", ExitCode.DATA, **facts)
    parts = np.array_split(np.abs(mono), PEAK_COUNT)
    peaks = tuple(round(min(1.0, float(part.max(initial=0.0))), 3) for part in parts)
    window = _best_window(mono, sound.rate) if seconds > MAX_REFERENCE_S else None
    return LocalClip(path, seconds, peaks, window)


def check_length(clip: LocalClip) -> None:
    """Raise a Problem for a clip that must be cut first; it names the best segment."""
    if clip.window is None:
        return
    start, end = clip.window
    raise Problem(
        "engine.speaking.reference_long",
        ExitCode.DATA,
        file=clip.path.name,
        seconds=round(clip.seconds, 2),
        start=round(start, 2),
        end=round(end, 2),
    )


def _best_window(mono: np.ndarray, rate: int) -> tuple[float, float]:
    hop = max(1, rate // LEVELS_PER_SECOND)
    frames = len(mono) // hop
    levels = np.sqrt(np.square(mono[: frames * hop].reshape(frames, hop)).mean(axis=1))
    return find_reference_segment(levels.tolist())
