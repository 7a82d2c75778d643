"""Objective metrics of one rendering. They rank renderings of one sentence, never naturalness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE

_FRAME_LENGTH = SPEECH_SAMPLE_RATE // 100  # 10 ms
_SILENT_DB = -40.0  # below the loudest frame


class Recogniser(Protocol):
    """Speech to text: samples (N,) float32 at 32 kHz, a plain language."""

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        """Recognise the speech; "auto" detects the language."""
        ...


class SpeakerEmbedder(Protocol):
    """A speaker embedding of samples (N,) at 32 kHz; unit length."""

    def embed(self, samples: np.ndarray, /) -> np.ndarray:
        """Embed samples (N,) -> (D,)."""
        ...


@dataclass(frozen=True)
class Metrics:
    """What was measured; None where it was not.

    seconds: length without silence at both ends. length_ratio: that over the expected length.
    longest_silence_s: inside the speech. loudness_db: RMS of the voiced frames, full scale 0.
    ended: the GPT stopped by itself in every chunk. cer: character error rate by recognition.
    phone_error: the same in phones, which 今日 and きょう share.
    similarity: cosine with the reference's speaker. attempts: how often the tokens were
    drawn until recognition found the words; None without recognition.
    """

    seconds: float
    length_ratio: float | None
    longest_silence_s: float
    loudness_db: float | None
    ended: bool
    cer: float | None = None
    phone_error: float | None = None
    similarity: float | None = None
    attempts: int | None = None

    def as_json(self) -> dict[str, Any]:
        """All fields, rounded to 3 digits."""
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    @property
    def penalty(self) -> float:
        """Smaller is better: what is measurably wrong, in comparable units, summed.

        Half or double the expected length costs about 0.7; a silence costs what it exceeds
        half a second by; 10 % of wrong phones (or characters) cost 0.5; running into the limit
        costs 2; a similarity lower by 0.1 costs 0.3; each further attempt costs 0.25.
        """
        cost = 0.0 if self.ended else 2.0
        if self.length_ratio is not None:
            cost += abs(float(np.log(max(self.length_ratio, 1e-3))))
        cost += max(0.0, self.longest_silence_s - 0.5)
        if self.loudness_db is None:
            cost += 5.0
        wrong = self.cer if self.phone_error is None else self.phone_error
        if wrong is not None:
            cost += 5.0 * min(wrong, 2.0)
        if self.similarity is not None:
            cost += 3.0 * (1.0 - self.similarity)
        if self.attempts is not None:
            cost += 0.25 * (self.attempts - 1)
        return cost


def measure_speech(
    samples: np.ndarray,
    *,
    ended: bool,
    expected_s: float | None = None,
    cer: float | None = None,
    phone_error: float | None = None,
    similarity: float | None = None,
) -> Metrics:
    """Measure samples (N,) at 32 kHz; `expected_s` is how long the sentence should take."""
    is_voiced = find_voiced_frames(samples)
    voiced_indices = np.flatnonzero(is_voiced)
    if len(voiced_indices) == 0:
        return Metrics(
            0.0,
            0.0 if expected_s else None,
            len(samples) / SPEECH_SAMPLE_RATE,
            None,
            ended,
            cer,
            phone_error,
            similarity,
        )
    inside = is_voiced[voiced_indices[0] : voiced_indices[-1] + 1]
    seconds = len(inside) * _FRAME_LENGTH / SPEECH_SAMPLE_RATE
    loud = _frame_levels(samples)[: len(is_voiced)][is_voiced]
    return Metrics(
        seconds=seconds,
        length_ratio=seconds / expected_s if expected_s else None,
        longest_silence_s=_longest_run(~inside) * _FRAME_LENGTH / SPEECH_SAMPLE_RATE,
        loudness_db=float(10 * np.log10(np.square(loud).mean())),
        ended=ended,
        cer=cer,
        phone_error=phone_error,
        similarity=similarity,
    )


def character_error_rate(expected: str, transcript: str) -> float:
    """Edits a character of `expected`, letters and digits only, case ignored; may exceed 1."""
    reference, hypothesis = _letters(expected), _letters(transcript)
    if not reference:
        return float(len(hypothesis) > 0)
    return edit_distance(reference, hypothesis) / len(reference)


def edit_distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Least insertions, deletions and replacements from `a` to `b` (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _frame_levels(samples: np.ndarray) -> np.ndarray:
    frames = len(samples) // _FRAME_LENGTH
    whole = samples[: frames * _FRAME_LENGTH].reshape(frames, _FRAME_LENGTH).astype(np.float64)
    return np.sqrt(np.square(whole).mean(axis=1)) if frames else np.zeros(0)


def find_voiced_frames(samples: np.ndarray) -> np.ndarray:
    """(frames,) True where a 10 ms frame is within 40 dB of the loudest one."""
    level = _frame_levels(samples)
    if level.max(initial=0.0) <= 1e-5:
        return np.zeros(len(level), dtype=bool)
    return level > level.max() * 10 ** (_SILENT_DB / 20)


def _longest_run(mask: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))
