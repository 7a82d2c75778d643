"""Speech to text for recordings without a transcript, with a recogniser the user brought."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.contract.dataset.items import LANGUAGES
from engine.contract.problem import ExitCode, Problem

RECOGNISER_HZ = 16000


@dataclass(frozen=True)
class Transcript:
    """What was heard, and in which language of ours."""

    text: str
    language: str


class Recogniser(Protocol):
    """Anything that hears 16 kHz float32 (N,); `language` None asks it to find out."""

    def hear(self, wav: np.ndarray, language: str | None) -> Transcript: ...


class Whisper:
    """faster-whisper with a model folder on this machine; nothing is downloaded."""

    def __init__(self, folder: Path) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise Problem("engine.gather.no_recogniser", ExitCode.CONFIG) from error
        if not (folder / "model.bin").is_file():
            raise Problem("engine.gather.no_model", ExitCode.CONFIG, folder=str(folder))
        self._model = WhisperModel(str(folder), compute_type="auto", local_files_only=True)

    def hear(self, wav: np.ndarray, language: str | None) -> Transcript:
        parts, info = self._model.transcribe(wav, language=language, beam_size=5)
        text = "".join(part.text for part in parts).strip()
        return Transcript(text, LANGUAGES.get(info.language, language or "en"))


class Remembered:
    """A recogniser that hears every sound once: results are kept in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._heard: dict[str, Transcript] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    raw = json.loads(line)
                    transcript = Transcript(str(raw["text"]), str(raw["language"]))
                    self._heard[str(raw["sound"])] = transcript
                except (ValueError, KeyError, TypeError):
                    continue  # the torn last line of a killed run; that clip is heard again

    def hear(self, sound: str, wav: np.ndarray, language: str | None, by: Recogniser) -> Transcript:
        """What `by` hears in `wav`, whose digest is `sound`."""
        key = f"{sound}:{language or 'any'}"
        if key not in self._heard:
            self._heard[key] = by.hear(wav, language)
            line = json.dumps({"sound": key, **asdict(self._heard[key])}, ensure_ascii=False)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        return self._heard[key]
