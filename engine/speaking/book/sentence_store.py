"""The sentences of a book that have been spoken: a wav and a record each.

A sentence is there when its record is: the wav is written first, both are replaced whole. So a
reading that is killed at any moment goes on with the first sentence that is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sovdeck.engine.audio.pcm import encode_wav
from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.speaking.word_times import WordTime


@dataclass(frozen=True)
class SpokenSentence:
    """How a sentence was spoken. `key` is the digest of all that decides its sound but `redo`.

    `redo` counts how often a person asked for another rendering. `doubts` say why somebody should
    listen: "lost", "added", "different" or "unclear" by recognition, "cut" at the length limit,
    "unread" for characters without a sound, "unspoken" when nothing could be said. `checked` is
    whether a recogniser listened, and `heard` what it understood. `kept`: a person found it good.
    `words`: their times where the recogniser could tell them.
    """

    number: int
    key: str
    text: str
    seconds: float
    bytes: int
    sha256: str
    redo: int = 0
    attempts: int = 1
    checked: bool = False
    error: float | None = None
    heard: str = ""
    doubts: tuple[str, ...] = ()
    faults: tuple[Mapping[str, Any], ...] = field(default=())
    kept: bool = False
    words: tuple[WordTime, ...] = ()


class SentenceStore:
    """The spoken sentences in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wav(self, number: int) -> Path:
        """Where the sound of a sentence lies."""
        return self.folder / f"{number:06d}.wav"

    def find(self, number: int) -> SpokenSentence | None:
        """The record of a sentence whose wav is there unharmed; None for any other."""
        try:
            facts = parse_json_object(self._record(number).read_bytes())
            facts["doubts"] = tuple(facts["doubts"])
            facts["faults"] = tuple(facts["faults"])
            facts["words"] = tuple(WordTime(**word) for word in facts.get("words", ()))
            spoken = SpokenSentence(**facts)
            whole = file_sha256(self.wav(number)) == spoken.sha256
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return spoken if whole else None

    def save(self, samples: np.ndarray, **facts: Any) -> SpokenSentence:
        """Keep samples (N,) float32 at 32 kHz and the facts of one sentence."""
        data = encode_wav(samples)
        spoken = SpokenSentence(bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), **facts)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._record(spoken.number).unlink(missing_ok=True)
        write_atomic(self.wav(spoken.number), data)
        self._write_record(spoken)
        return spoken

    def keep(self, spoken: SpokenSentence) -> SpokenSentence:
        """Record that a person has heard this rendering and found it good."""
        kept = replace(spoken, kept=True)
        self._write_record(kept)
        return kept

    def _write_record(self, spoken: SpokenSentence) -> None:
        record = json.dumps(asdict(spoken), ensure_ascii=False)
        write_atomic(self._record(spoken.number), record.encode("utf-8", "replace"))

    def read(self, number: int) -> np.ndarray:
        """The samples (N,) float32 of a sentence."""
        samples, _ = soundfile.read(self.wav(number), dtype="float32")
        found: np.ndarray = samples
        return found

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"
