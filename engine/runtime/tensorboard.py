"""Losses as a TensorBoard file: the second sink of the same records, without its library.

A file is a row of records: length (8 bytes), its checksum, the message, its checksum. The
message is a protobuf `Event` with a time, a step and one number a tag. Source: the comments of
TensorFlow's record_writer.h and event.proto.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from engine.runtime.durable import is_no_space
from engine.runtime.journal import Emit

# The tags GPT-SoVITS writes, so that curves of both can be laid over each other.
_TAGS = {
    "sovits": {
        "total": "loss/g/total", "discriminator": "loss/d/total", "features": "loss/g/fm",
        "mel": "loss/g/mel", "kl": "loss/g/kl", "adversarial": "loss/g/adversarial",
        "lr": "learning_rate", "grad_norm": "grad_norm_g", "grad_norm_d": "grad_norm_d",
    },
    "gpt": {
        "total": "total_loss", "accuracy": "top_3_acc", "preference": "dpo_loss",
        "lr": "lr", "grad_norm": "grad_norm",
    },
}  # fmt: skip


class TensorBoard:
    """Writes step and validation records of a run below `folder`, one subfolder a stage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def add(self, type: str, stage: str | None, payload: Mapping[str, Any]) -> None:
        """Take an event; only those of the training stages with numbers are written."""
        if stage not in _TAGS:
            return
        if type == "step":
            extra = {name: payload.get(name) for name in ("lr", "grad_norm", "grad_norm_d")}
            self._write(stage, payload["step"], _named(stage, {**payload["losses"], **extra}))
        elif type == "validation":
            metrics = {f"validation/{name}": value for name, value in payload["metrics"].items()}
            self._write(stage, payload.get("step", payload["epoch"]), metrics)

    def close(self) -> None:
        for file in self._files.values():
            try:
                file.close()
            except OSError as error:  # what had no space before has none now
                if not is_no_space(error):
                    raise
        self._files.clear()

    def _write(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        try:
            file = self._files.get(stage) or self._open(stage)
            file.write(record(_event(time.time(), step, numbers)))
            file.flush()
        except OSError as error:
            # The journal keeps the numbers; a full disk must not end training for a picture.
            if not is_no_space(error):
                raise

    def _open(self, stage: str) -> BinaryIO:
        folder = self._folder / stage
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        file = (folder / f"events.out.tfevents.{int(now)}.sovdeck").open("ab")
        file.write(record(_field(1, 1, struct.pack("<d", now)) + _text(3, "brain.Event:2")))
        self._files[stage] = file
        return file


def teed(emit: Emit, board: TensorBoard) -> Emit:
    """An `emit` that also feeds the board."""

    def emit_both(type: str, stage: str | None = None, **payload: Any) -> None:
        emit(type, stage, **payload)
        board.add(type, stage, payload)

    return emit_both


def record(message: bytes) -> bytes:
    """Frame one message."""
    length = struct.pack("<Q", len(message))
    parts = (length, _masked(length), message, _masked(message))
    return b"".join(parts)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _table() -> tuple[int, ...]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = row >> 1 ^ (0x82F63B78 if row & 1 else 0)
        rows.append(row)
    return tuple(rows)


_TABLE = _table()


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _named(stage: str, losses: Mapping[str, float | None]) -> dict[str, float]:
    tags = _TAGS[stage]
    return {tags.get(name, name): value for name, value in losses.items() if value is not None}


def _event(seconds: float, step: int, numbers: Mapping[str, float]) -> bytes:
    values = b"".join(
        _bytes(1, _text(1, tag) + _field(2, 5, struct.pack("<f", value)))
        for tag, value in numbers.items()
    )
    return (
        _field(1, 1, struct.pack("<d", seconds)) + _field(2, 0, _varint(step)) + _bytes(5, values)
    )


def _field(number: int, wire: int, data: bytes) -> bytes:
    return _varint(number << 3 | wire) + data


def _bytes(number: int, data: bytes) -> bytes:
    return _field(number, 2, _varint(len(data)) + data)


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode("utf-8"))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
