"""How long work takes by measurement: of `bench`, and of earlier runs on the same device.

The plan's own model says how time grows with its amount; what was measured says by how
much it is wrong on this device. So a prediction is the model's, times the ratio of measured to
modelled time, a mean over all measurements of the stage in which near ones count most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sovdeck.engine.contract.spec import PRESETS

BENCH_CLIP_S = 5.0  # length of the clips that `bench` measures with, usual for a voice
_OTHER_PRESET_WEIGHT = 0.2
WORK = ("sovits", "gpt", "prepare", "speech")  # of which times are measured
_MIN_CLIP_S, _MAX_CLIP_S = 0.01, 36_000.0
_MIN_SECONDS, _MAX_SECONDS = 1e-6, 3600.0  # of one update; anything else is no measurement


@dataclass(frozen=True)
class Measurement:
    """Seconds of one piece of work. `source`: "bench" or the id of a run.

    stage: "sovits" or "gpt" of one optimiser update, of `micro_batches` times `batch` clips that
    last `clip_seconds` in the mean; "prepare" of all recordings and "speech" of one sentence, of
    `clip_seconds` of sound.
    """

    stage: str
    preset: str
    batch: int
    seconds: float
    source: str = "bench"
    micro_batches: float = 1.0
    clip_seconds: float = BENCH_CLIP_S

    @classmethod
    def parse(cls, raw: Any) -> Measurement | None:
        """Read a JSON object from a server or a file; None for anything that is not one of ours."""
        if not isinstance(raw, Mapping):
            return None
        stage, preset, batch = raw.get("stage"), raw.get("preset"), raw.get("batch")
        seconds = raw.get("seconds")
        # One of a newer version may have been measured with what the model here does not know.
        if not (isinstance(stage, str) and stage in WORK):
            return None
        if not (isinstance(preset, str) and preset in PRESETS):
            return None
        if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= 4096:
            return None
        if not isinstance(seconds, (int, float)) or not _MIN_SECONDS <= seconds <= _MAX_SECONDS:
            return None
        # A row that an older version wrote does not say how long its clips were.
        clip_seconds = raw.get("clip_seconds", BENCH_CLIP_S)
        if not isinstance(clip_seconds, (int, float)):
            return None
        if not _MIN_CLIP_S <= clip_seconds <= _MAX_CLIP_S:
            return None
        return cls(stage, preset, batch, float(seconds), clip_seconds=float(clip_seconds))


@dataclass(frozen=True)
class Correction:
    """What a modelled time is multiplied by, and how far it was off where it could be compared.

    error: share, from predicting each measurement by all others; None with a single one.
    """

    factor: float
    error: float | None
    count: int


def find_correction(
    measurements: Sequence[Measurement],
    stage: str,
    preset: str,
    batch: int,
    modelled: Callable[[Measurement], float],
) -> Correction | None:
    """The correction of the model for a stage, preset and batch; None without a measurement.

    modelled: seconds that the plan's model gives for what was measured.
    """
    ratios = [(one, math.log(one.seconds / modelled(one))) for one in measurements]
    found = [(one, ratio) for one, ratio in ratios if one.stage == stage]
    if not found:
        return None
    misses = [
        _mean([pair for pair in found if pair is not left], left[0].preset, left[0].batch) - left[1]
        for left in found
        if len(found) > 1
    ]
    error = math.expm1(math.sqrt(sum(m * m for m in misses) / len(misses))) if misses else None
    return Correction(math.exp(_mean(found, preset, batch)), error, len(found))


def _mean(pairs: Sequence[tuple[Measurement, float]], preset: str, batch: int) -> float:
    weights = [
        (1.0 if one.preset == preset else _OTHER_PRESET_WEIGHT)
        / (0.05 + abs(math.log(batch / one.batch)))
        for one, _ in pairs
    ]
    weighted = sum(weight * ratio for weight, (_, ratio) in zip(weights, pairs, strict=True))
    return weighted / sum(weights)
