"""Measure a recording on this computer, by the rules that the server measures by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.contract.dataset.clip import (
    MAX_CLIP_S,
    ClipMeasurement,
    noise_floor_db,
    to_decibels,
)
from sovdeck.engine.contract.dataset.measure import (
    CLIPPING_LEVEL,
    FRAME_S,
    POWER_HZ,
    measure_recording,
    sound_format,
)
from sovdeck.engine.contract.dataset.wav import UnknownCodingError, WavSamples, parse_wav
from sovdeck.engine.contract.problem import ExitCode, Problem

_MAX_BYTES = 256 << 20  # compressed; what is larger is hours long
_WHOLE = 0.98  # of the samples that the header promises; encoders count a little differently


def measure_file(path: Path) -> ClipMeasurement | None:
    """Measure a wav, flac, mp3 or ogg; None for a format that only the server decodes.

    Problem when it is no sound file, damaged or cut off.
    """
    return measure_recording(path, decode_file, measure_samples)


def measure_samples(sound: WavSamples) -> ClipMeasurement:
    """As the contract's `measure_samples`, by numpy: far quicker, and other threads go on."""
    samples, channels, rate, scale = (
        np.asarray(sound.samples),
        sound.channels,
        sound.rate,
        sound.scale,
    )
    if not samples.size:
        raise ValueError("no samples")
    if samples.dtype.kind == "f" and not np.isfinite(samples.sum(dtype=np.float64)):
        raise ValueError("samples that are not numbers")
    high, low = float(samples.max()), float(samples.min())
    peak = max(abs(high), abs(low)) / scale
    at_rails = 0
    if peak > CLIPPING_LEVEL:
        at_rails = int(np.count_nonzero(samples == high) + np.count_nonzero(samples == low))
    stride = max(1, rate // POWER_HZ)
    whole = samples[: samples.size // channels * channels].reshape(-1, channels)
    frames = whole[::stride].mean(axis=1, dtype=np.float64)
    starts = np.arange(0, len(frames), max(1, round(rate / stride * FRAME_S)))
    powers = np.add.reduceat(frames * frames, starts) / np.diff(starts, append=len(frames))
    return ClipMeasurement(
        seconds=samples.size / channels / rate,
        rate=rate,
        channels=channels,
        peak=peak,
        level_db=to_decibels(float(powers.mean()) ** 0.5 / scale),
        noise_db=noise_floor_db((np.sqrt(powers) / scale).tolist()),
        clipped=at_rails / samples.size,
    )


def load_samples(path: Path) -> WavSamples:
    """The samples of a wav, flac, mp3 or ogg; Problem for anything else, and when damaged."""
    try:
        with path.open("rb") as file:
            found = sound_format(file.read(64))
        if found == "wav":
            try:
                return parse_wav(path.read_bytes())
            except UnknownCodingError:
                pass
        sound = decode_file(path, found or "", longest=float("inf"))
        if not isinstance(sound, WavSamples):
            raise ValueError("a format that only the server reads")
        return sound
    except (ValueError, OSError) as error:
        why = str(error)[:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error


def decode_file(
    path: Path, found: str, *, longest: float = MAX_CLIP_S
) -> WavSamples | ClipMeasurement | None:
    """Samples of a file of the format `found`; None for a format that is not known here.

    Of a file that lasts more than `longest` seconds only the length is measured.

    ValueError when it is damaged or cut off.
    """
    import miniaudio  # here: it is needed for compressed recordings only

    read_info: Any = {
        "wav": miniaudio.wav_get_info,
        "flac": miniaudio.flac_get_info,
        "mp3": miniaudio.mp3_get_info,
        "ogg": miniaudio.vorbis_get_info,
    }.get(found)
    if read_info is None or path.stat().st_size > _MAX_BYTES:
        return None
    data = path.read_bytes()
    try:
        info = read_info(data)
        if info.duration > longest:
            return ClipMeasurement(info.duration, info.sample_rate, info.nchannels)
        sound = miniaudio.decode(
            data, miniaudio.SampleFormat.FLOAT32, info.nchannels, info.sample_rate
        )
    except miniaudio.MiniaudioError as error:
        if found == "ogg":  # Opus, which the server reads
            return None
        raise ValueError(str(error)) from error
    frames = len(sound.samples) // max(1, sound.nchannels)
    if frames < _WHOLE * info.num_frames:
        raise ValueError(f"cut off: {frames} of {info.num_frames} samples")
    return WavSamples(sound.samples, sound.nchannels, sound.sample_rate, 1.0)
