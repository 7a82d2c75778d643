"""The reference clip a voice imitates: read, checked, and turned into timbre and prompt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.audio.spectrogram import spectrogram
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.reference_segment import (
    LEVELS_PER_SECOND,
    MAX_REFERENCE_S,
    MIN_REFERENCE_S,
    SILENCE_PEAK,
    find_reference_segment,
)

CONTENT_SAMPLE_RATE = 16_000
# Upstream counts 0.3 s at 32 kHz but appends the samples at 16 kHz; voices were made with it.
_PROMPT_PADDING = 9_600


@dataclass(frozen=True)
class ReferenceAudio:
    """One reference clip: mono float samples (N,) at 32 kHz, and the digest of the file."""

    path: Path
    samples: np.ndarray
    digest: str

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.samples) / SPEECH_SAMPLE_RATE

    def spectrogram(self) -> Tensor:
        """(1, 1025, T) of the clip, levelled as at training."""
        return spectrogram(torch.from_numpy(self._levelled()).unsqueeze(0))

    def speaker_wave(self) -> Tensor:
        """(N,) at 16 kHz, levelled like the spectrogram: what the speaker network hears."""
        return torch.from_numpy(resample(self._levelled(), SPEECH_SAMPLE_RATE, CONTENT_SAMPLE_RATE))

    def _levelled(self) -> np.ndarray:
        peak = float(np.abs(self.samples).max())
        return self.samples / min(2.0, peak) if peak > 1.0 else self.samples

    def prompt_wave(self) -> Tensor:
        """(1, N) at 16 kHz with the short silence at its end that the prompt is encoded with."""
        wav = torch.from_numpy(resample(self.samples, SPEECH_SAMPLE_RATE, CONTENT_SAMPLE_RATE))
        return torch.nn.functional.pad(wav, (0, _PROMPT_PADDING)).unsqueeze(0)


def read_reference(path: Path, *, check_length: bool = True) -> ReferenceAudio:
    """Read a clip; Problem when it is missing, damaged, silent, or not 3 to 10 s long.

    Extra references only give timbre, so their length is free (`check_length=False`).
    """
    if not path.is_file():
        raise Problem("engine.speaking.reference_missing", ExitCode.DATA, file=str(path))
    samples, rate = load_mono(path)
    samples = resample(np.asarray(samples, dtype=np.float32), rate, SPEECH_SAMPLE_RATE)
    seconds = len(samples) / SPEECH_SAMPLE_RATE
    if np.abs(samples).max(initial=0.0) < SILENCE_PEAK:
        raise Problem("engine.speaking.reference_silent", ExitCode.DATA, file=str(path))
    if check_length and not MIN_REFERENCE_S <= seconds <= MAX_REFERENCE_S:
        facts = {"file": str(path), "seconds": round(seconds, 2)}
        if seconds < MIN_REFERENCE_S:
            raise Problem("engine.speaking.reference_short", ExitCode.DATA, **facts)
        start, end = best_window(samples)
        window = {"start": round(start, 2), "end": round(end, 2)}
        raise Problem("engine.speaking.reference_long", ExitCode.DATA, **facts, **window)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return ReferenceAudio(path, samples, digest)


def best_window(samples: np.ndarray) -> tuple[float, float]:
    """(start, end) in seconds of the stretch to keep of a clip (N,) at 32 kHz."""
    hop = SPEECH_SAMPLE_RATE // LEVELS_PER_SECOND
    frames = len(samples) // hop
    level = np.sqrt(np.square(samples[: frames * hop].reshape(frames, hop)).mean(axis=1))
    return find_reference_segment(level.tolist())
