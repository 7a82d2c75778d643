"""The clip a voice imitates: read, checked, and turned into timbre and prompt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.audio.load import load
from engine.audio.resample import resample
from engine.audio.spectrogram import spectrogram
from engine.contract.problem import ExitCode, Problem
from engine.contract.stretch import (
    LEVELS_A_SECOND,
    LONGEST_S,
    SHORTEST_S,
    SILENT_PEAK,
    best_stretch,
)
from engine.speaking.sound import RATE

CONTENT_RATE = 16_000
# Upstream counts 0.3 s at 32 kHz but appends the samples at 16 kHz; voices were made with it.
_PROMPT_TAIL = 9_600


@dataclass(frozen=True)
class Reference:
    """One clip: mono float samples (N,) at 32 kHz, and the digest of the file."""

    path: Path
    samples: np.ndarray
    digest: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    def spectrogram(self) -> Tensor:
        """(1, 1025, T) of the clip, levelled as at training."""
        peak = float(np.abs(self.samples).max())
        level = self.samples / min(2.0, peak) if peak > 1.0 else self.samples
        return spectrogram(torch.from_numpy(level).unsqueeze(0))

    def prompt_wave(self) -> Tensor:
        """(1, N) at 16 kHz with the short silence at its end that the prompt is read with."""
        wav = torch.from_numpy(resample(self.samples, RATE, CONTENT_RATE))
        return torch.nn.functional.pad(wav, (0, _PROMPT_TAIL)).unsqueeze(0)


def read_reference(path: Path, *, check_length: bool = True) -> Reference:
    """Read a clip; Problem when it is missing, damaged, silent, or not 3 to 10 s long.

    Extra references only lend timbre, so their length is free (`check_length=False`).
    """
    if not path.is_file():
        raise Problem("engine.speaking.reference_missing", ExitCode.DATA, file=str(path))
    samples, rate = load(path)
    samples = resample(np.asarray(samples, dtype=np.float32), rate, RATE)
    seconds = len(samples) / RATE
    if np.abs(samples).max(initial=0.0) < SILENT_PEAK:
        raise Problem("engine.speaking.reference_silent", ExitCode.DATA, file=str(path))
    if check_length and not SHORTEST_S <= seconds <= LONGEST_S:
        facts = {"file": str(path), "seconds": round(seconds, 2)}
        if seconds < SHORTEST_S:
            raise Problem("engine.speaking.reference_short", ExitCode.DATA, **facts)
        start, end = best_window(samples)
        window = {"start": round(start, 2), "end": round(end, 2)}
        raise Problem("engine.speaking.reference_long", ExitCode.DATA, **facts, **window)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Reference(path, samples, digest)


def best_window(samples: np.ndarray) -> tuple[float, float]:
    """(start, end) in seconds of the stretch to keep of a clip (N,) at 32 kHz."""
    hop = RATE // LEVELS_A_SECOND
    frames = len(samples) // hop
    level = np.sqrt(np.square(samples[: frames * hop].reshape(frames, hop)).mean(axis=1))
    return best_stretch(level.tolist())
