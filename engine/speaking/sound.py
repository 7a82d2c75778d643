"""Speech as samples, and as the bytes of a wav file."""

from __future__ import annotations

import io
import wave

import numpy as np

RATE = 32_000


def peak_safe(samples: np.ndarray) -> np.ndarray:
    """Float samples (N,), divided by their peak where that exceeds 1."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / peak if peak > 1.0 else samples


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1] to int16; full scale is 32767, so 1.0 does not wrap round."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def wav_bytes(samples: np.ndarray, rate: int = RATE) -> bytes:
    """A mono 16-bit wav file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(to_int16(samples).tobytes())
    return buffer.getvalue()
