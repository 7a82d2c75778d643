"""Measure a WAV file with the standard library alone, for the laptop's own check."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from struct import unpack_from

from engine.contract.dataset.clip import ClipFacts, decibels, noise_floor_db
from engine.contract.problem import ExitCode, Problem

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FRAME_S = 0.05
_POWER_HZ = 8000  # power is estimated from this many samples a second; peaks from all


def measure_wav(path: Path) -> ClipFacts | None:
    """Facts of a PCM or float WAV file; Problem when it is damaged or cut off.

    None for files of other formats by their ending: only the server can decode those.
    """
    if path.suffix.lower() not in (".wav", ".wave"):
        return None
    try:
        return _measure(path.read_bytes())
    except (ValueError, OSError) as error:
        why = str(error)[:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error


@dataclass(frozen=True)
class WavSamples:
    """Samples of a file as they lie in it, channels interleaved; `scale` is full scale."""

    samples: array[int] | array[float]
    channels: int
    rate: int
    scale: float


def read_wav(path: Path) -> WavSamples:
    """All samples of a PCM or float WAV file; Problem when it is damaged or cut off."""
    try:
        return _read(path.read_bytes())
    except (ValueError, OSError) as error:
        why = str(error)[:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error


def _read(raw: bytes) -> WavSamples:
    tag, channels, rate, bits, data = _chunks(raw)
    samples, scale = _samples(tag, bits, data)
    if not samples:
        raise ValueError("no samples")
    return WavSamples(samples, channels, rate, scale)


def _measure(raw: bytes) -> ClipFacts:
    sound = _read(raw)
    samples, channels, rate, scale = sound.samples, sound.channels, sound.rate, sound.scale
    high, low = max(samples), min(samples)
    if not high - low < float("inf"):  # also catches NaN at either end
        raise ValueError("samples that are not numbers")
    peak = max(abs(high), abs(low)) / scale
    rails = samples.count(high) + samples.count(low)  # type: ignore[arg-type]  # array[int | float]
    at_rails = rails if peak > 0.98 else 0
    # Power of every stride-th frame, over all channels.
    stride = max(1, rate // _POWER_HZ)
    thin = samples[:: stride * channels] if channels > 1 else samples[::stride]
    size = max(1, round(rate / stride * _FRAME_S))
    powers = [
        sum(map(mul, part, part)) / len(part)
        for part in (thin[start : start + size] for start in range(0, len(thin), size))
    ]
    return ClipFacts(
        seconds=len(samples) / channels / rate,
        rate=rate,
        channels=channels,
        peak=peak,
        level_db=decibels((sum(powers) / len(powers)) ** 0.5 / scale),
        noise_db=noise_floor_db([power**0.5 / scale for power in powers]),
        clipped=at_rails / len(samples),
    )


def _chunks(raw: bytes) -> tuple[int, int, int, int, bytes]:
    """Format tag, channels, rate, bits and the data chunk of a RIFF file."""
    if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    header: tuple[int, int, int, int] | None = None
    position = 12
    while position + 8 <= len(raw):
        name = raw[position : position + 4]
        (size,) = unpack_from("<I", raw, position + 4)
        start = position + 8
        if name == b"fmt " and size >= 16 and start + size <= len(raw):
            tag, channels, rate, _, _, bits = unpack_from("<HHIIHH", raw, start)
            if tag == _EXTENSIBLE and size >= 26:
                (tag,) = unpack_from("<H", raw, start + 24)
            header = (tag, channels, rate, bits)
        elif name == b"data" and header is not None:
            if not header[1] or not header[2]:
                raise ValueError("no channels or no rate in the header")
            if start + size > len(raw) and size < 0xFFFFFFFE:  # streamed files do not know
                raise ValueError(f"cut off: {len(raw) - start} of {size} bytes")
            return (*header, raw[start : start + size])
        position = start + size + size % 2
    raise ValueError("no sound data")


def _samples(tag: int, bits: int, data: bytes) -> tuple[array[int] | array[float], float]:
    """Samples and the value of full scale. 8-bit files are unsigned in WAV."""
    whole = data[: len(data) // (bits // 8 or 1) * (bits // 8 or 1)]
    if (tag, bits) == (_PCM, 8):
        return array("h", (byte - 128 for byte in whole)), 128.0
    if (tag, bits) == (_PCM, 24):
        wide = bytearray(len(whole) // 3 * 4)
        wide[1::4], wide[2::4], wide[3::4] = whole[0::3], whole[1::3], whole[2::3]
        return _little("i", bytes(wide)), 2.0**31
    kinds = {(_PCM, 16): ("h", 2.0**15), (_PCM, 32): ("i", 2.0**31),
             (_FLOAT, 32): ("f", 1.0), (_FLOAT, 64): ("d", 1.0)}  # fmt: skip
    if (tag, bits) not in kinds:
        raise ValueError(f"WAV coding {tag} with {bits} bits")
    code, scale = kinds[(tag, bits)]
    return _little(code, whole), scale


def _little(code: str, data: bytes) -> array[int] | array[float]:
    samples: array[int] | array[float] = array(code, data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
