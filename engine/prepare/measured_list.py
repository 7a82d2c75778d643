"""Read a list and measure every clip it names, whatever format the clip is in."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from sovdeck.engine.audio.load import decode_samples, header_length
from sovdeck.engine.contract.dataset.check import CheckedDataset, MeasureFile, check_clips
from sovdeck.engine.contract.dataset.clip import MAX_CLIP_S, ClipMeasurement
from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.dataset.measure import measure_recording
from sovdeck.engine.contract.dataset.wav import WavSamples


def check_list(
    path: Path, wav_folder: Path | None, strict: bool = False, measure: MeasureFile | None = None
) -> CheckedDataset:
    """Read a list and measure its clips: usable items, the problems of all others, and notes.

    `measure` replaces the decoder. `strict` raises one Problem that names every fault, when there
    is one.
    """
    checked = check_clips(read_dataset_list(path, wav_folder), measure or measure_file)
    if strict:
        checked.manifest.raise_problems()
    return checked


def measure_file(path: Path) -> ClipMeasurement | None:
    """Measure any sound file we can decode; Problem when it cannot be decoded."""
    return measure_recording(path, _decode)


def _decode(path: Path, found: str) -> WavSamples | ClipMeasurement:
    length = header_length(path)
    if length is not None and length[0] > MAX_CLIP_S:
        return ClipMeasurement(*length)
    samples, rate = decode_samples(path)  # (N, C)
    flat = array("f", np.ascontiguousarray(samples, dtype=np.float32).tobytes())
    return WavSamples(flat, samples.shape[1], rate, 1.0)
