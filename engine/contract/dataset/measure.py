"""Measure any sound file by the rules that the laptop and the server share.

Plain WAV is read here, whatever its name ends in; other formats by the decoder of whoever calls.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from operator import mul
from pathlib import Path

from sovdeck.engine.contract.dataset.clip import (
    MAX_CLIP_S,
    ClipMeasurement,
    noise_floor_db,
    to_decibels,
)
from sovdeck.engine.contract.dataset.wav import (
    UnknownCodingError,
    WavSamples,
    parse_wav,
    wav_seconds,
)
from sovdeck.engine.contract.problem import ExitCode, Problem

# Decodes a file of a format of `sound_format`; of one too long to be a clip it may measure the
# length alone. None when this decoder does not know the format, ValueError for a damaged file.
DecodeFile = Callable[[Path, str], "WavSamples | ClipMeasurement | None"]
MeasureSamples = Callable[[WavSamples], ClipMeasurement]

_HEAD_BYTES = 1 << 16
FRAME_S = 0.05
POWER_HZ = 8000  # power is estimated from this many samples a second; peaks from all
CLIPPING_LEVEL = 0.98  # flat tops only count as clipping when they are near full scale
_MAGIC = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"FORM", "aiff"),
    (b"caff", "caf"),
    (b".snd", "au"),
    (b"RF64", "w64"),
    (b"riff\x2e\x91\xcf\x11", "w64"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),
)


def sound_format(head: bytes) -> str | None:
    """What a file holds by its first bytes, whatever its name says; None for no sound file."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "mp4"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "aac" if head[1] & 0x06 == 0 else "mp3"  # layer 0 is AAC's
    return None


def measure_recording(
    path: Path, decode: DecodeFile, measure: MeasureSamples | None = None
) -> ClipMeasurement | None:
    """Measure a file; None where only the server can decode its format.

    measure: a quicker `measure_samples`, where there is one.

    Problem when it is no sound file, damaged or cut off, or holds samples that are not numbers. Of
    a file too long to be a clip only the length is known.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        found = sound_format(head)
        if found is None:
            raise ValueError("not a sound file" if head else "an empty file")
        samples: WavSamples | ClipMeasurement | None = None
        if found == "wav":
            try:
                seconds, rate, channels = wav_seconds(head, size)
                if seconds > MAX_CLIP_S:
                    return ClipMeasurement(seconds, rate, channels)
                samples = parse_wav(path.read_bytes())
            except UnknownCodingError:
                samples = None
        if samples is None:
            samples = decode(path, found)
        return (measure or measure_samples)(samples) if isinstance(samples, WavSamples) else samples
    except (ValueError, OSError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error


def measure_wav(path: Path) -> ClipMeasurement | None:
    """Measure plain WAV without any decoder; None for every other format. Problem as above."""
    return measure_recording(path, lambda _path, _format: None)


def measure_samples(sound: WavSamples) -> ClipMeasurement:
    """Measure samples; ValueError when there are none, or some are not numbers.

    Level and noise are those of the channels' average, which is what is trained on: two channels
    that cancel each other are silent.
    """
    samples, channels, rate, scale = sound.samples, sound.channels, sound.rate, sound.scale
    if not samples:
        raise ValueError("no samples")
    if isinstance(samples[0], float) and not math.isfinite(sum(samples)):
        raise ValueError("samples that are not numbers")
    high, low = max(samples), min(samples)
    peak = max(abs(high), abs(low)) / scale
    at_rails = 0
    if peak > CLIPPING_LEVEL:
        at_rails = samples.count(high) + samples.count(low)  # type: ignore[arg-type]  # array[int | float]
    # Power of every stride-th frame, averaged over the channels.
    stride = max(1, rate // POWER_HZ)
    frames = _average_channels(samples, channels, stride)
    size = max(1, round(rate / stride * FRAME_S))
    powers = [
        sum(map(mul, part, part)) / len(part)
        for part in (frames[start : start + size] for start in range(0, len(frames), size))
    ]
    return ClipMeasurement(
        seconds=len(samples) / channels / rate,
        rate=rate,
        channels=channels,
        peak=peak,
        level_db=to_decibels((sum(powers) / len(powers)) ** 0.5 / scale),
        noise_db=noise_floor_db([power**0.5 / scale for power in powers]),
        clipped=at_rails / len(samples),
    )


def _average_channels(
    samples: array[int] | array[float], channels: int, stride: int
) -> list[float] | array[int] | array[float]:
    if channels == 1:
        return samples[::stride]
    step = stride * channels
    parts = [samples[channel::step] for channel in range(channels)]
    return [sum(frame) / channels for frame in zip(*parts, strict=False)]
