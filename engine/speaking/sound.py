"""Speech as samples: what may go into a wav file, and how it is written."""

from __future__ import annotations

import io
import os
import tempfile
import wave
from pathlib import Path

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


def write_file(path: Path, content: bytes) -> None:
    """Replace `path` whole or not at all, so an earlier take survives any failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)  # mkstemp makes it private; a wav is for whoever runs the server
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
