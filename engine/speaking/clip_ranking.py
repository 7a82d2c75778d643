"""Which training clip to imitate: a quick score of each recording, without speaking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.contract.reference_segment import MAX_REFERENCE_S, MIN_REFERENCE_S

_BEST_LENGTH_S = (4.0, 8.0)


@dataclass(frozen=True)
class TranscribedClip:
    """A recording with its exact words; `language` is a plain one (zh, ja, en, ko, yue)."""

    path: Path
    text: str
    language: str


@dataclass(frozen=True)
class ClipScore:
    """What makes a clip a good reference; `value` is higher for better ones.

    `noise_db` is the level of its quietest tenth below its loudest tenth, `clipped` the share
    of samples at full scale, `speech` the share of frames with voice.
    """

    clip: TranscribedClip
    seconds: float
    noise_db: float
    clipped: float
    speech: float

    @property
    def value(self) -> float:
        """Length in range counts most, then noise and speech; clipping costs up to 8."""
        inside = MIN_REFERENCE_S <= self.seconds <= MAX_REFERENCE_S
        off = max(_BEST_LENGTH_S[0] - self.seconds, self.seconds - _BEST_LENGTH_S[1], 0.0)
        quiet = min(self.noise_db, 50.0) / 50.0
        damage = 8.0 * min(1.0, 20 * self.clipped)
        return (10.0 if inside else 0.0) - off + quiet + self.speech - damage


def score_clip(clip: TranscribedClip) -> ClipScore:
    """Read and measure one clip; Problem when the file cannot be read."""
    samples, rate = load_mono(clip.path)
    hop = max(1, rate // 50)
    frames = max(1, len(samples) // hop)
    padded = np.resize(samples, frames * hop) if len(samples) < hop else samples[: frames * hop]
    level = np.sqrt(np.square(padded.reshape(frames, hop)).mean(axis=1)) + 1e-7
    loud, quiet = np.percentile(level, 90), np.percentile(level, 10)
    return ClipScore(
        clip=clip,
        seconds=len(samples) / rate,
        noise_db=float(20 * np.log10(loud / quiet)),
        clipped=float((np.abs(samples) >= 0.999).mean()),
        speech=float((level > 0.1 * loud).mean()),
    )


def rank_clips(clips: Sequence[TranscribedClip], most: int = 200) -> list[ClipScore]:
    """Rank clips from best to worst reference.

    Of large datasets, at most `most` evenly spread clips are read.
    """
    step = max(1, -(-len(clips) // most))
    scores = [score_clip(clip) for clip in clips[::step]]
    return sorted(scores, key=lambda score: score.value, reverse=True)
