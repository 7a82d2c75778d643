"""Speech to text for recordings without a transcript, with a model the user brought."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from sovdeck.engine.audio import whisper
from sovdeck.engine.contract.dataset.items import LANGUAGE_TAGS
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import Problem

TRANSCRIBER_SAMPLE_RATE = whisper.WHISPER_SAMPLE_RATE


@dataclass(frozen=True)
class Transcript:
    """Recognised text and its language (zh, ja, en, ko, yue)."""

    text: str
    language: str


class Transcriber(Protocol):
    """Speech to text for 16 kHz float32 (N,); `language` None detects it."""

    def transcribe(self, wav: np.ndarray, language: str | None) -> Transcript:
        """Recognise the speech in `wav` (N,)."""
        ...


class WhisperTranscriber:
    """A `Transcriber` over a Whisper model folder."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self._model = whisper.LocalWhisper(folder, device)

    @property
    def notice(self) -> Problem | None:
        """What the user should know of its speed or device; None without anything."""
        return self._model.notice

    def transcribe(self, wav: np.ndarray, language: str | None) -> Transcript:
        """Recognise the speech in `wav` (N,) at 16 kHz."""
        result = self._model.transcribe(wav, language)
        return Transcript(result.text, LANGUAGE_TAGS.get(result.language, language or "en"))


class TranscriptCache:
    """Transcribes every sound once: results are kept in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._transcripts: dict[str, Transcript] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    raw = parse_json(line)
                    transcript = Transcript(str(raw["text"]), str(raw["language"]))
                    self._transcripts[str(raw["sound"])] = transcript
                except (ValueError, KeyError, TypeError):
                    continue  # the incomplete last line of a killed run; that clip is done again

    def transcribe(
        self, samples_digest: str, wav: np.ndarray, language: str | None, transcriber: Transcriber
    ) -> Transcript:
        """The text of `wav`, whose digest is `samples_digest`; `transcriber` is asked once."""
        key = f"{samples_digest}:{language or 'any'}"
        if key not in self._transcripts:
            self._transcripts[key] = transcriber.transcribe(wav, language)
            line = json.dumps({"sound": key, **asdict(self._transcripts[key])}, ensure_ascii=False)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        return self._transcripts[key]
