"""Read a WAV file with the standard library alone, so that laptop and server read it alike."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from

from sovdeck.engine.contract.problem import ExitCode, Problem

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class UnknownCodingError(ValueError):
    """A WAV file whose samples are compressed: only a decoder reads them."""


@dataclass(frozen=True)
class WavSamples:
    """Samples as they lie in a file, channels interleaved; `scale` is full scale, `rate` in Hz."""

    samples: array[int] | array[float]
    channels: int
    rate: int
    scale: float


def read_wav(path: Path) -> WavSamples:
    """All samples of a PCM or float WAV file; Problem when it is damaged or cut off."""
    try:
        return parse_wav(path.read_bytes())
    except (ValueError, OSError) as error:
        why = str(error)[:160]
        raise Problem("engine.data.corrupt", ExitCode.DATA, file=str(path), why=why) from error


def parse_wav(raw: bytes) -> WavSamples:
    """The samples of a whole file; ValueError when damaged, UnknownCodingError when compressed."""
    tag, channels, rate, bits, start, size = _parse_chunks(raw, len(raw))
    data = raw[start : start + size]
    samples, scale = _decode_samples(tag, bits, data)
    whole = len(samples) - len(samples) % channels  # half a frame at the end is none
    if not whole:
        raise ValueError("no samples")
    return WavSamples(samples[:whole], channels, rate, scale)


def wav_seconds(head: bytes, file_bytes: int) -> tuple[float, int, int]:
    """Length in seconds, rate in Hz and channels by the first bytes of a file of `file_bytes`.

    ValueError when it is damaged or cut off, UnknownCodingError when its samples are compressed.
    """
    tag, channels, rate, bits, _, size = _parse_chunks(head, file_bytes)
    if tag not in (_PCM, _FLOAT) or not bits:
        raise UnknownCodingError(f"WAV coding {tag} with {bits} bits")
    return size / (channels * ((bits + 7) // 8)) / rate, rate, channels


def _parse_chunks(raw: bytes, file_bytes: int) -> tuple[int, int, int, int, int, int]:
    """Format tag, channels, rate, bits, and where the samples start and how many bytes they are.

    `raw` may be the first part of a file of `file_bytes`.
    """
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
            if start + size > file_bytes and size < 0xFFFFFFFE:  # streamed files do not know
                raise ValueError(f"cut off: {file_bytes - start} of {size} bytes")
            return (*header, start, min(size, file_bytes - start))
        position = start + size + size % 2
    raise ValueError("no sound data")


def _decode_samples(tag: int, bits: int, data: bytes) -> tuple[array[int] | array[float], float]:
    """Samples and the value of full scale. 8-bit files are unsigned in WAV."""
    whole = data[: len(data) // (bits // 8 or 1) * (bits // 8 or 1)]
    if (tag, bits) == (_PCM, 8):
        return array("h", (byte - 128 for byte in whole)), 128.0
    if (tag, bits) == (_PCM, 24):
        wide = bytearray(len(whole) // 3 * 4)
        wide[1::4], wide[2::4], wide[3::4] = whole[0::3], whole[1::3], whole[2::3]
        return _little_endian_samples("i", bytes(wide)), 2.0**31
    kinds = {
        (_PCM, 16): ("h", 2.0**15),
        (_PCM, 32): ("i", 2.0**31),
        (_FLOAT, 32): ("f", 1.0),
        (_FLOAT, 64): ("d", 1.0),
    }
    if (tag, bits) not in kinds:
        raise UnknownCodingError(f"WAV coding {tag} with {bits} bits")
    code, scale = kinds[(tag, bits)]
    return _little_endian_samples(code, whole), scale


def _little_endian_samples(code: str, data: bytes) -> array[int] | array[float]:
    samples: array[int] | array[float] = array(code, data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
