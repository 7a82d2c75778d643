"""Recordings are measured by numpy as the contract's own reader measures them."""

from __future__ import annotations

import struct
from dataclasses import astuple
from pathlib import Path

import pytest
from swelling_wav import write_wav

from sovdeck.engine.contract.dataset.measure import measure_wav
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio.measure_file import measure_file


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
    "raw",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd",
        # 123 channels, and samples for eight of them: not one frame.
        b"RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\1\0\x7b\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"
        b"data\x10\0\0\0" + bytes(range(16)),
    ],
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


def test_half_a_frame_at_the_end_is_none(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", 16, channels=2)
    raw = path.read_bytes()
    (size,) = struct.unpack_from("<I", raw, 40)
    longer = raw[:40] + struct.pack("<I", size + 2) + raw[44:] + b"\1\0"
    before = measure_wav(path), measure_file(path)
    path.write_bytes(longer)
    assert (measure_wav(path), measure_file(path)) == before
