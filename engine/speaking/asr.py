"""Speech recognition of spoken samples by a Whisper model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.audio.whisper import WHISPER_SAMPLE_RATE, LocalWhisper
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.word_times import WordTime


class SpeechRecogniser:
    """A `metrics.Recogniser` that also tells the times of words, by a Whisper model folder."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self._whisper = LocalWhisper(folder, device)

    @property
    def notice(self) -> Problem | None:
        """What the user should know of its speed or device; None without anything."""
        return self._whisper.notice

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        """Recognise the speech; the language is detected for an "auto" mode."""
        wav, known = _prepare(samples, language)
        return self._whisper.transcribe(wav, known).text

    def transcribe_words(self, samples: np.ndarray, language: str, /) -> list[WordTime]:
        """Recognise the speech, each word with its times in seconds."""
        words = self._whisper.transcribe_words(*_prepare(samples, language))
        return [WordTime(one.text, one.start, one.end) for one in words]


def _prepare(samples: np.ndarray, language: str) -> tuple[np.ndarray, str | None]:
    """Samples at the model's rate, and the language where it is known."""
    wav = resample(
        np.ascontiguousarray(samples, dtype=np.float32), SPEECH_SAMPLE_RATE, WHISPER_SAMPLE_RATE
    )
    return wav, None if language.startswith("auto") else language
