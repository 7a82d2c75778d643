"""A recording of this computer that a voice shall imitate: checked here before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.contract.dataset.wav import read_wav
from engine.contract.problem import ExitCode, Problem
from engine.contract.stretch import (
    LEVELS_A_SECOND,
    LONGEST_S,
    SHORTEST_S,
    SILENT_PEAK,
    best_stretch,
)

BARS = 64


@dataclass(frozen=True)
class LocalClip:
    """Measured here. `window` is the stretch to keep, None where the clip fits as it is."""

    path: Path
    seconds: float
    peaks: tuple[float, ...] = ()
    window: tuple[float, float] | None = None


def measure_clip(path: Path) -> LocalClip | None:
    """Length, outline and best stretch of a wav; None for formats only the server can read.

    Problem in the engine's words when it is missing, damaged, silent or too short.
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
    if float(np.abs(mono).max(initial=0.0)) < SILENT_PEAK:
        raise Problem("engine.speaking.reference_silent", ExitCode.DATA, file=path.name)
    if seconds < SHORTEST_S:
        facts = {"file": path.name, "seconds": round(seconds, 2)}
        raise Problem("engine.speaking.reference_short", ExitCode.DATA, **facts)
    parts = np.array_split(np.abs(mono), BARS)
    peaks = tuple(round(min(1.0, float(part.max(initial=0.0))), 3) for part in parts)
    window = _window(mono, sound.rate) if seconds > LONGEST_S else None
    return LocalClip(path, seconds, peaks, window)


def check_length(clip: LocalClip) -> None:
    """Problem for a clip that must be cut first; it names the best stretch."""
    if clip.window is None:
        return
    start, end = clip.window
    raise Problem(
        "engine.speaking.reference_long", ExitCode.DATA, file=clip.path.name,
        seconds=round(clip.seconds, 2), start=round(start, 2), end=round(end, 2),
    )  # fmt: skip


def _window(mono: np.ndarray, rate: int) -> tuple[float, float]:
    hop = max(1, rate // LEVELS_A_SECOND)
    frames = len(mono) // hop
    levels = np.sqrt(np.square(mono[: frames * hop].reshape(frames, hop)).mean(axis=1))
    return best_stretch(levels.tolist())
