"""Hearing what was spoken, at the rate it was spoken in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.audio.resample import resample
from engine.audio.whisper import WHISPER_HZ, Whisper
from engine.contract.problem import Problem
from engine.speaking.sound import RATE


class Listener:
    """A `marks.Recogniser`: samples (N,) at 32 kHz to text, by a Whisper folder."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self._whisper = Whisper(folder, device)

    @property
    def notice(self) -> Problem | None:
        """What the user should know of how it hears."""
        return self._whisper.notice

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        """An "auto" language is detected."""
        wav = resample(np.ascontiguousarray(samples, dtype=np.float32), RATE, WHISPER_HZ)
        return self._whisper.hear(wav, None if language.startswith("auto") else language).text
