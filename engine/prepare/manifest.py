"""Read a list and measure every clip it names, whatever format the clip is in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.audio.load import decode
from engine.contract.dataset.check import Checked, Measure, check_clips
from engine.contract.dataset.clip import ClipFacts, decibels, noise_floor_db
from engine.contract.dataset.items import Manifest, read_items

_FRAME_S = 0.05
_RAIL = 0.98  # flat tops only count as clipping when they are near full scale


def read_list(path: Path, wav_folder: Path | None = None, strict: bool = False) -> Manifest:
    """Items that can be trained on, the faults of all others, and remarks.

    `strict` raises one Problem that names every fault, when there is one.
    """
    return check_list(path, wav_folder, strict).manifest


def check_list(
    path: Path, wav_folder: Path | None, strict: bool = False, measure: Measure | None = None
) -> Checked:
    """As `read_list`, with what each clip measured; `measure` replaces the decoder."""
    checked = check_clips(read_items(path, wav_folder), measure or measure_file)
    if strict:
        checked.manifest.refuse_problems()
    return checked


def measure_file(path: Path) -> ClipFacts:
    """Facts of any sound file we can decode; Problem when it cannot be decoded."""
    return measure_samples(*decode(path))


def measure_samples(samples: np.ndarray, rate: int) -> ClipFacts:
    """Facts of float32 samples (N, C) at `rate` Hz."""
    high, low = float(samples.max()), float(samples.min())
    peak = max(abs(high), abs(low))
    at_rails = int(((samples == high) | (samples == low)).sum()) if peak > _RAIL else 0
    mono = samples.mean(axis=1, dtype=np.float64)
    size = max(1, round(rate * _FRAME_S))
    starts = np.arange(0, mono.size, size)
    powers = np.add.reduceat(mono**2, starts) / np.diff([*starts, mono.size])
    return ClipFacts(
        seconds=mono.size / rate,
        rate=rate,
        channels=samples.shape[1],
        peak=peak,
        level_db=decibels(float(np.mean(mono**2)) ** 0.5),
        noise_db=noise_floor_db(np.sqrt(powers).tolist()),
        clipped=at_rails / samples.size,
    )
