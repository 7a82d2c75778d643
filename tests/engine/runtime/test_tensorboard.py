"""The TensorBoard file, read back by a reader of its own."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.runtime.tensorboard import TensorBoardWriter, crc32c, with_tensorboard


def fields(message: bytes) -> list[tuple[int, Any]]:
    """Protobuf fields of one message, in order."""
    found: list[tuple[int, Any]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        wire = key & 7
        if wire == 0:
            found.append((key >> 3, varint()))
            continue
        size = {1: 8, 5: 4}.get(wire) or varint()
        found.append((key >> 3, message[at : at + size]))
        at += size
    return found


def unmask(stored: int) -> int:
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def messages(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        (size, check) = struct.unpack("<QI", data[:12])
        message = data[12 : 12 + size]
        (last,) = struct.unpack("<I", data[12 + size : 16 + size])
        assert unmask(check) == crc32c(data[:8]) and unmask(last) == crc32c(message)
        found.append(message)
        data = data[16 + size :]
    return found


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_steps_become_tagged_numbers(tmp_path: Path) -> None:
    seen: list[str] = []
    board = TensorBoardWriter(tmp_path)
    emit = with_tensorboard(lambda type, stage=None, **_: seen.append(type), board)
    emit(
        "step",
        "sovits",
        step=300,
        total=9,
        losses={"total": 1.5, "mel": 0.25},
        lr=1e-4,
        grad_norm=3.0,
        grad_norm_d=2.0,
    )
    emit("step", "gpt", step=2, total=9, losses={"total": 7.0, "accuracy": 0.5}, grad_norm=None)
    emit("validation", "gpt", epoch=1, metrics={"cross_entropy": 6.5})
    emit("step", "prepare", step=1, total=2, losses={})
    emit("memory", source="psutil")
    board.close()
    assert seen == ["step", "step", "validation", "step", "memory"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gpt", "sovits"]
    (file,) = (tmp_path / "sovits").iterdir()
    head, step = messages(file)
    assert dict(fields(head))[3] == b"brain.Event:2"
    event = dict(fields(step))
    assert event[2] == 300
    values = {}
    for _, value in fields(event[5]):
        parts = dict(fields(value))
        values[parts[1].decode()] = struct.unpack("<f", parts[2])[0]
    assert values == pytest.approx(
        {
            "loss/g/total": 1.5,
            "loss/g/mel": 0.25,
            "learning_rate": 1e-4,
            "grad_norm_g": 3.0,
            "grad_norm_d": 2.0,
        }
    )
    (file,) = (tmp_path / "gpt").iterdir()
    assert len(messages(file)) == 3


def test_a_full_disk_costs_the_picture_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    board = TensorBoardWriter(tmp_path)
    monkeypatch.setattr(Path, "mkdir", full)
    board.write_event("step", "gpt", {"step": 1, "losses": {"total": 1.0}})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_stays_full_does_not_end_a_run_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A file whose buffered bytes find no space."""

        def write(self, data: bytes) -> int:
            return len(data)

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        close = flush

    board = TensorBoardWriter(tmp_path)
    monkeypatch.setattr(Path, "open", lambda *_: Full())
    board.write_event("step", "gpt", {"step": 1, "losses": {"total": 1.0}})
    board.close()
