"""Conversion of float samples to int16 and to the bytes of a WAV file."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np

SPEECH_SAMPLE_RATE = 32_000


def limit_peak(samples: np.ndarray) -> np.ndarray:
    """Float samples (N,), divided by their peak where that exceeds 1."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / peak if peak > 1.0 else samples


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1] to int16; full scale is 32767, so 1.0 does not wrap round."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")


def make_silence(seconds: float) -> np.ndarray:
    """Zeros (N,) float32 of this length at 32 kHz."""
    return np.zeros(round(seconds * SPEECH_SAMPLE_RATE), dtype=np.float32)


def endless_wav_header(rate: int = SPEECH_SAMPLE_RATE) -> bytes:
    """The header of a mono 16-bit wav whose length is not known yet: players read to its end."""
    header = bytearray(encode_wav(np.zeros(0, dtype=np.float32), rate))
    struct.pack_into("<I", header, 4, 0xFFFFFFFF)
    struct.pack_into("<I", header, 40, 0xFFFFFFFF)
    return bytes(header)


def encode_wav(samples: np.ndarray, rate: int = SPEECH_SAMPLE_RATE) -> bytes:
    """A mono 16-bit wav file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(to_int16(samples).tobytes())
    return buffer.getvalue()
