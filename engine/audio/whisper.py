"""Hearing words: a Whisper model from a local folder, where the optional package is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.contract.problem import ExitCode, Problem

WHISPER_HZ = 16_000
# Without any of these faster-whisper would ask a registry for it.
_FILES = ("model.bin", "config.json", "tokenizer.json")
# In order of speed where the processor has it; the recogniser's own default warns and converts.
_CPU_FORMATS = ("int8", "float32")
_GPU_FORMATS = ("float16", "int8_float32", "float32")


@dataclass(frozen=True)
class Heard:
    """What was said, and the language it was taken for (Whisper's code)."""

    text: str
    language: str


class Whisper:
    """A faster-whisper model (CTranslate2 folder); never downloads.

    `device` is cpu, cuda or auto. Where the GPU's libraries do not fit the recogniser, it hears
    on the CPU and `notice` says so. Problem when package or model is missing or damaged.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        try:
            import ctranslate2
        except ImportError as error:
            raise Problem("engine.asr.no_package", ExitCode.CONFIG) from error
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise Problem(
                "engine.asr.no_model", ExitCode.CONFIG,
                folder=str(folder), missing=", ".join(missing),
            )  # fmt: skip
        self.folder = folder
        self.notice: Problem | None = None
        if device != "cpu" and ctranslate2.get_cuda_device_count():
            try:
                self._model = _open(folder, "cuda", _GPU_FORMATS)
                self.hear(np.zeros(WHISPER_HZ, np.float32), "en")  # its libraries load with use
                return
            except (Problem, RuntimeError, ValueError) as error:
                why = str(error).splitlines()[0][:120]
                self.notice = Problem("engine.asr.on_cpu", ExitCode.OK, why=why)
        self._model = _open(folder, "cpu", _CPU_FORMATS)

    def hear(self, wav: np.ndarray, language: str | None) -> Heard:
        """Words in wav (N,) float32 at 16 kHz; `language` None finds it out.

        Mandarin comes in simplified characters, as GPT-SoVITS reads it. Problem when the model
        knows only English and another language is asked for.
        """
        if language not in (None, "en") and not self._model.model.is_multilingual:
            raise Problem(
                "engine.asr.english_only", ExitCode.CONFIG,
                folder=str(self.folder), language=language,
            )  # fmt: skip
        if language == "yue" and self._model.hf_tokenizer.token_to_id("<|yue|>") is None:
            language = "zh"  # before large-v3 the model wrote Cantonese down as Chinese
        parts, info = self._model.transcribe(
            np.ascontiguousarray(wav, dtype=np.float32), language=language, beam_size=5,
            condition_on_previous_text=False,  # else one mistake is repeated to the end
        )  # fmt: skip
        text = "".join(part.text for part in parts).strip()
        if info.language == "zh":
            from engine.text.zh.normal import simplify

            text = simplify(text)
        return Heard(text, info.language)


def _open(folder: Path, device: str, formats: tuple[str, ...]) -> Any:
    import ctranslate2
    from faster_whisper import WhisperModel

    able = ctranslate2.get_supported_compute_types(device)
    chosen = next((name for name in formats if name in able), "float32")
    try:
        return WhisperModel(str(folder), device=device, compute_type=chosen, local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        why = str(error).splitlines()[0][:120]
        raise Problem(
            "engine.asr.unusable", ExitCode.CONFIG, folder=str(folder), why=why
        ) from error
