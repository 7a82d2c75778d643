"""Hearing what was spoken: Whisper from a local folder, when the optional package is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.resample import resample
from engine.contract.problem import ExitCode, Problem
from engine.speaking.sound import RATE

_WHISPER_RATE = 16_000


class Whisper:
    """A faster-whisper model (CTranslate2 folder); never downloads."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise Problem("engine.speaking.no_whisper", ExitCode.CONFIG) from error
        if not (folder / "model.bin").is_file():
            raise Problem("engine.speaking.no_asr_model", ExitCode.CONFIG, folder=str(folder))
        self._model: Any = WhisperModel(
            str(folder), device="cuda" if device.startswith("cuda") else "cpu",
            compute_type="default", local_files_only=True,
        )  # fmt: skip

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        """Samples (N,) at 32 kHz -> text. An "auto" language is detected."""
        wav = resample(np.ascontiguousarray(samples, dtype=np.float32), RATE, _WHISPER_RATE)
        plain = None if language.startswith("auto") else language
        segments, _ = self._model.transcribe(
            wav, language=plain, beam_size=5, condition_on_previous_text=False
        )
        return "".join(segment.text for segment in segments)
