"""Recordings in any coding, for what measures them on the laptop."""

from __future__ import annotations

import array
import math
import struct
from pathlib import Path


def write_wav(
    path: Path,
    bits: int = 16,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 24000,
    loud: float = 0.4,
) -> Path:
    """A tone that swells, in any coding."""
    count = rate * channels
    wave = [loud * math.sin(n / 9) * n / count for n in range(count)]
    if tag == 3:
        data = array.array("f" if bits == 32 else "d", wave).tobytes()
    elif bits == 8:
        data = bytes(int(128 + 127 * x) for x in wave)
    else:
        full = 2 ** (bits - 1) - 1
        data = b"".join(
            max(-full - 1, min(full, int(x * full))).to_bytes(bits // 8, "little", signed=True)
            for x in wave
        )
    size = channels * bits // 8
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * size, size, bits)
    body = head + struct.pack("<4sI", b"data", len(data)) + data
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WAVE") + body)
    return path
