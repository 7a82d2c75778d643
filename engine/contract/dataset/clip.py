"""Measurements of one clip, and whether it can be trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.problem import ExitCode, Problem

# SPEC 3.11: SoVITS leaves out clips of 32 frames (1/50 s) and less and of more than 1,900.
MIN_CLIP_S = 0.66
MAX_SOVITS_CLIP_S = 38.0
MAX_CLIP_S = 54.0  # SPEC 5.6: the GPT's limit; beyond it a clip serves neither stage
MAX_PEAK = 2.2  # SPEC 1.7: float files may exceed 1; above this upstream skips the item
SILENCE_DB = -60.0
MAX_CLIPPED_FRACTION = 0.01  # more samples at full scale than this: distortion would be learnt
MIN_SAMPLE_RATE_HZ = 16000


@dataclass(frozen=True)
class ClipMeasurement:
    """Measured by a reader of sound files; levels in dB below full scale, None if unknown.

    `clipped` is the fraction of samples at full scale, `noise_db` the level of the
    quietest tenth of 50 ms frames.
    """

    seconds: float
    rate: int
    channels: int
    peak: float | None = None
    level_db: float | None = None
    noise_db: float | None = None
    clipped: float | None = None


def to_decibels(amplitude: float) -> float:
    """20 log10, with silence at -120 dB."""
    return 20 * math.log10(max(amplitude, 1e-6))


def noise_floor_db(frame_levels: Sequence[float]) -> float:
    """Level of the quietest tenth of frames, from their rms amplitudes."""
    ordered = sorted(frame_levels)
    return to_decibels(ordered[len(ordered) // 10]) if ordered else to_decibels(0.0)


def find_clip_problem(
    source: Path, item: DatasetItem, measurement: ClipMeasurement
) -> Problem | None:
    """Why a clip must be left out, or None when it can be trained on."""
    location = {"file": source.name, "line": item.line, "name": item.name}
    seconds = round(measurement.seconds, 2)
    if measurement.seconds < MIN_CLIP_S:
        return Problem(
            "engine.data.too_short", ExitCode.DATA, seconds=seconds, shortest=MIN_CLIP_S, **location
        )
    if measurement.seconds > MAX_CLIP_S:
        return Problem(
            "engine.data.too_long", ExitCode.DATA, seconds=seconds, longest=MAX_CLIP_S, **location
        )
    if measurement.level_db is not None and measurement.level_db < SILENCE_DB:
        level = round(measurement.level_db)
        return Problem("engine.data.silent", ExitCode.DATA, level=level, **location)
    if measurement.peak is not None and measurement.peak > MAX_PEAK:
        peak = round(measurement.peak, 2)
        return Problem("engine.data.too_loud", ExitCode.DATA, peak=peak, **location)
    if measurement.clipped is not None and measurement.clipped > MAX_CLIPPED_FRACTION:
        percent = round(100 * measurement.clipped, 1)
        return Problem("engine.data.clipped", ExitCode.DATA, percent=percent, **location)
    return None


def find_clip_notes(source: Path, item: DatasetItem, measurement: ClipMeasurement) -> list[Problem]:
    """Remarks on a clip that can be trained on."""
    location = {"file": source.name, "line": item.line, "name": item.name}
    notes = []
    if measurement.seconds > MAX_SOVITS_CLIP_S:
        seconds = round(measurement.seconds, 1)
        notes.append(
            Problem(
                "engine.data.long_for_sovits",
                ExitCode.DATA,
                seconds=seconds,
                longest=MAX_SOVITS_CLIP_S,
                **location,
            )
        )
    if measurement.channels > 1:
        notes.append(
            Problem(
                "engine.data.channels", ExitCode.DATA, channels=measurement.channels, **location
            )
        )
    if measurement.rate < MIN_SAMPLE_RATE_HZ:
        notes.append(
            Problem("engine.data.narrow", ExitCode.DATA, rate=measurement.rate, **location)
        )
    return notes
