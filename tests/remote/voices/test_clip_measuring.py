"""Recordings are measured once, on all cores, whoever asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from swelling_wav import write_wav

from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.dataset.measure import measure_wav
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.voices.clip_measuring import ClipMeasurer


class Counted:
    """A reader of recordings that writes down what it read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, path: Path) -> ClipMeasurement | None:
        self.read.append(path.name)
        return measure_wav(path)


@pytest.fixture
def reader() -> Counted:
    return Counted()


def test_only_what_changed_is_read_again_also_by_a_later_program(
    tmp_path: Path, reader: Counted
) -> None:
    source, cache = tmp_path / "Mei.list", tmp_path / "cache"
    paths = [write_wav(tmp_path / f"{n}.wav") for n in range(6)]
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    told: list[int] = []
    ClipMeasurer(cache, reader).measure_all(source, [*paths, tmp_path / "bad.wav"], told.append)
    assert sorted(reader.read) == [*(f"{n}.wav" for n in range(6)), "bad.wav"] and max(told) == 7

    reader.read.clear()
    later = ClipMeasurer(cache, reader)
    later.measure_all(source, paths)
    assert later(paths[0]) == measure_wav(paths[0]) and reader.read == []

    # Another content of the same size under the old time, as some copying tools leave it.
    times = paths[2].stat()
    raw = bytearray(paths[2].read_bytes())
    raw[-2000:] = bytes(2000)
    paths[2].write_bytes(raw)
    os.utime(paths[2], ns=(times.st_atime_ns, times.st_mtime_ns))
    again = ClipMeasurer(cache, reader)
    again.measure_all(source, paths)
    assert reader.read == ["2.wav"] and again(paths[2]) == measure_wav(paths[2])


def test_a_damaged_recording_is_told_each_time_and_read_once(
    tmp_path: Path, reader: Counted
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    measurer = ClipMeasurer(tmp_path / "cache", reader)
    measurer.measure_all(tmp_path / "a.list", [bad])
    for _ in range(2):
        with pytest.raises(Problem):
            measurer(bad)
    assert reader.read == ["bad.wav"]


@pytest.mark.parametrize(
    "kept", [b"{", b"[]", b'{"v": 1}', b'{"v": 1, "clips": {"a": 3}}', b"\xff"]
)
def test_a_cache_that_cannot_be_read_costs_time_only(
    tmp_path: Path, reader: Counted, kept: bytes
) -> None:
    source, cache = tmp_path / "Mei.list", tmp_path / "cache"
    path = write_wav(tmp_path / "a.wav")
    ClipMeasurer(cache, reader).measure_all(source, [path])
    (file,) = cache.iterdir()
    file.write_bytes(kept)
    measurer = ClipMeasurer(cache, reader)
    measurer.measure_all(source, [path])
    assert measurer(path) == measure_wav(path)


def test_a_cancelled_check_reads_no_more(tmp_path: Path, reader: Counted) -> None:
    paths = [write_wav(tmp_path / f"{n}.wav") for n in range(4)]
    ClipMeasurer(tmp_path / "cache", reader).measure_all(tmp_path / "l", paths, cancel=lambda: True)
    assert reader.read == []
