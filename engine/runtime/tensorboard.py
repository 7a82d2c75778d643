"""TensorBoard files of losses and metrics, written without the tensorboard package.

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

from sovdeck.engine.contract.atomic_io import is_disk_full
from sovdeck.engine.runtime.event_writer import Emit

# The tags GPT-SoVITS writes, so that the curves of both can be compared.
_TAGS = {
    "sovits": {
        "total": "loss/g/total",
        "discriminator": "loss/d/total",
        "features": "loss/g/fm",
        "mel": "loss/g/mel",
        "kl": "loss/g/kl",
        "adversarial": "loss/g/adversarial",
        "lr": "learning_rate",
        "grad_norm": "grad_norm_g",
        "grad_norm_d": "grad_norm_d",
    },
    "gpt": {
        "total": "total_loss",
        "accuracy": "top_3_acc",
        "preference": "dpo_loss",
        "lr": "lr",
        "grad_norm": "grad_norm",
    },
}


class TensorBoardWriter:
    """Writes step and validation records of a run below `folder`, one subfolder a stage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def write_event(self, type: str, stage: str | None, payload: Mapping[str, Any]) -> None:
        """Write the numbers of a step or validation event of a training stage; skip all others."""
        if stage not in _TAGS:
            return
        if type == "step":
            extra = {name: payload.get(name) for name in ("lr", "grad_norm", "grad_norm_d")}
            self._write(stage, payload["step"], _name_by_tag(stage, {**payload["losses"], **extra}))
        elif type == "validation":
            metrics = {f"validation/{name}": value for name, value in payload["metrics"].items()}
            self._write(stage, payload.get("step", payload["epoch"]), metrics)

    def close(self) -> None:
        """Close the files; a full disk is ignored."""
        for file in self._files.values():
            try:
                file.close()
            except OSError as error:  # buffered bytes still do not fit
                if not is_disk_full(error):
                    raise
        self._files.clear()

    def _write(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        try:
            file = self._files.get(stage) or self._open(stage)
            file.write(frame_record(_encode_event(time.time(), step, numbers)))
            file.flush()
        except OSError as error:
            # events.jsonl has the numbers too: a full disk must not end training for these files.
            if not is_disk_full(error):
                raise

    def _open(self, stage: str) -> BinaryIO:
        folder = self._folder / stage
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        file = (folder / f"events.out.tfevents.{int(now)}.sovdeck").open("ab")
        file.write(
            frame_record(
                _encode_field(1, 1, struct.pack("<d", now)) + _encode_text(3, "brain.Event:2")
            )
        )
        self._files[stage] = file
        return file


def with_tensorboard(emit: Emit, writer: TensorBoardWriter) -> Emit:
    """An `emit` that also writes to TensorBoard."""

    def emit_both(type: str, stage: str | None = None, **payload: Any) -> None:
        emit(type, stage, **payload)
        writer.write_event(type, stage, payload)

    return emit_both


def frame_record(message: bytes) -> bytes:
    """One record of the file format: length, its checksum, the message, its checksum."""
    length = struct.pack("<Q", len(message))
    parts = (length, _masked_crc(length), message, _masked_crc(message))
    return b"".join(parts)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _make_crc_table() -> tuple[int, ...]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = row >> 1 ^ (0x82F63B78 if row & 1 else 0)
        rows.append(row)
    return tuple(rows)


_CRC_TABLE = _make_crc_table()


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _name_by_tag(stage: str, losses: Mapping[str, float | None]) -> dict[str, float]:
    tags = _TAGS[stage]
    return {tags.get(name, name): value for name, value in losses.items() if value is not None}


def _encode_event(seconds: float, step: int, numbers: Mapping[str, float]) -> bytes:
    values = b"".join(
        _encode_bytes(1, _encode_text(1, tag) + _encode_field(2, 5, struct.pack("<f", value)))
        for tag, value in numbers.items()
    )
    return (
        _encode_field(1, 1, struct.pack("<d", seconds))
        + _encode_field(2, 0, _encode_varint(step))
        + _encode_bytes(5, values)
    )


def _encode_field(number: int, wire: int, data: bytes) -> bytes:
    return _encode_varint(number << 3 | wire) + data


def _encode_bytes(number: int, data: bytes) -> bytes:
    return _encode_field(number, 2, _encode_varint(len(data)) + data)


def _encode_text(number: int, text: str) -> bytes:
    return _encode_bytes(number, text.encode("utf-8"))


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
