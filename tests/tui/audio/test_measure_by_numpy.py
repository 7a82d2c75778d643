"""Recordings are measured by numpy as the contract's own reader measures them."""

from __future__ import annotations

import array
import math
import struct
from dataclasses import astuple
from pathlib import Path

import pytest

from sovdeck.engine.contract.dataset.measure import measure_wav
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio.measure_file import measure_file


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


@pytest.mark.parametrize("loud", [0.001, 0.4, 3.0])
@pytest.mark.parametrize(
    ("tag", "bits", "channels"),
    [(1, 8, 1), (1, 16, 1), (1, 16, 2), (1, 24, 1), (1, 24, 2), (1, 32, 1), (3, 32, 2), (3, 64, 1)],
)
def test_it_measures_what_the_contract_does(
    tmp_path: Path, tag: int, bits: int, channels: int, loud: float
) -> None:
    if bits == 8 and loud > 1:
        loud = 1.0
    path = write_wav(tmp_path / "a.wav", bits, tag=tag, channels=channels, loud=loud)
    ours, theirs = measure_file(path), measure_wav(path)
    assert ours is not None and theirs is not None
    assert astuple(ours) == pytest.approx(astuple(theirs), rel=1e-9)


@pytest.mark.parametrize(
    "raw", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd"]
)
def test_a_damaged_file_has_the_same_reason(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(raw)
    reasons = []
    for measure in (measure_file, measure_wav):
        with pytest.raises(Problem) as caught:
            measure(path)
        reasons.append(caught.value.facts)
    assert reasons[0] == reasons[1]
