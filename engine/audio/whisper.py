"""Speech recognition by a Whisper model in a local folder, with the optional faster-whisper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.text.zh.normalize import simplify

WHISPER_SAMPLE_RATE = 16_000
# Without any of these faster-whisper would download it.
_MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")
# In order of speed where the processor has it; the recogniser's own default warns and converts.
_CPU_FORMATS = ("int8", "float32")
_GPU_FORMATS = ("float16", "int8_float32", "float32")


@dataclass(frozen=True)
class Transcription:
    """Recognised text, and its language by Whisper's code."""

    text: str
    language: str


@dataclass(frozen=True)
class TimedWord:
    """A recognised word, and the seconds at which it begins and ends."""

    text: str
    start: float
    end: float


class LocalWhisper:
    """A faster-whisper model (CTranslate2 folder); never downloads.

    `device` is cpu, cuda or auto. Where the GPU's libraries do not fit the recogniser, it runs
    on the CPU and `notice` is the reason. Problem when package or model is missing or damaged.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        try:
            import ctranslate2
        except ImportError as error:
            raise Problem("engine.asr.no_package", ExitCode.CONFIG) from error
        missing = [name for name in _MODEL_FILES if not (folder / name).is_file()]
        if missing:
            raise Problem(
                "engine.asr.no_model",
                ExitCode.CONFIG,
                folder=str(folder),
                missing=", ".join(missing),
            )
        self.folder = folder
        self.notice: Problem | None = None
        if device != "cpu" and ctranslate2.get_cuda_device_count():
            try:
                self._model = _load_model(folder, "cuda", _GPU_FORMATS)
                # CUDA libraries are loaded at first use.
                self.transcribe(np.zeros(WHISPER_SAMPLE_RATE, np.float32), "en")
                return
            except (Problem, RuntimeError, ValueError) as error:
                why = str(error).splitlines()[0][:120]
                self.notice = Problem("engine.asr.on_cpu", ExitCode.OK, why=why)
        self._model = _load_model(folder, "cpu", _CPU_FORMATS)

    def transcribe(self, wav: np.ndarray, language: str | None) -> Transcription:
        """Recognise wav (N,) float32 at 16 kHz; the language is detected where it is None.

        Mandarin comes in simplified characters, as GPT-SoVITS reads it. Problem when the model
        knows only English and another language is asked for.
        """
        parts, info = self._transcribe(wav, language)
        text = "".join(part.text for part in parts).strip()
        if info.language == "zh":
            text = simplify(text)
        return Transcription(text, info.language)

    def transcribe_words(self, wav: np.ndarray, language: str | None) -> list[TimedWord]:
        """Recognise as `transcribe`, each word with the times at which the model attended to it."""
        parts, info = self._transcribe(wav, language, word_timestamps=True)
        return [
            TimedWord(simplify(one.word) if info.language == "zh" else one.word, one.start, one.end)
            for part in parts
            for one in part.words or ()
        ]

    def _transcribe(
        self, wav: np.ndarray, language: str | None, *, word_timestamps: bool = False
    ) -> Any:
        if language not in (None, "en") and not self._model.model.is_multilingual:
            raise Problem(
                "engine.asr.english_only",
                ExitCode.CONFIG,
                folder=str(self.folder),
                language=language,
            )
        if language == "yue" and self._model.hf_tokenizer.token_to_id("<|yue|>") is None:
            language = "zh"  # before large-v3 the model wrote Cantonese down as Chinese
        return self._model.transcribe(
            np.ascontiguousarray(wav, dtype=np.float32),
            language=language,
            beam_size=5,
            word_timestamps=word_timestamps,
            condition_on_previous_text=False,  # else one mistake is repeated to the end
        )


def _load_model(folder: Path, device: str, formats: tuple[str, ...]) -> Any:
    import ctranslate2
    from faster_whisper import WhisperModel

    supported = ctranslate2.get_supported_compute_types(device)
    chosen = next((name for name in formats if name in supported), "float32")
    try:
        return WhisperModel(str(folder), device=device, compute_type=chosen, local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        why = str(error).splitlines()[0][:120]
        raise Problem(
            "engine.asr.unusable", ExitCode.CONFIG, folder=str(folder), why=why
        ) from error
