"""Speech to text for recordings without a transcript, with a recogniser the user brought."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.audio import whisper
from engine.contract.dataset.items import LANGUAGES
from engine.contract.problem import Problem

RECOGNISER_HZ = whisper.WHISPER_HZ


@dataclass(frozen=True)
class Transcript:
    """What was heard, and in which language of ours."""

    text: str
    language: str


class Recogniser(Protocol):
    """Anything that hears 16 kHz float32 (N,); `language` None asks it to find out."""

    def hear(self, wav: np.ndarray, language: str | None) -> Transcript: ...


class Whisper:
    """A Whisper folder as a Recogniser of ours."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self._model = whisper.Whisper(folder, device)

    @property
    def notice(self) -> Problem | None:
        """What the user should know of how it hears."""
        return self._model.notice

    def hear(self, wav: np.ndarray, language: str | None) -> Transcript:
        heard = self._model.hear(wav, language)
        return Transcript(heard.text, LANGUAGES.get(heard.language, language or "en"))


class Remembered:
    """A recogniser that hears every sound once: results are kept in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._heard: dict[str, Transcript] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
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
