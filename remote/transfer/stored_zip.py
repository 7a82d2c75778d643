"""Where every byte of a stored zip lies, before one of them is here. Pure arithmetic.

Gives the same bytes as Python's zipfile writing ZIP_STORED members to a seekable file, with fixed
time and mode, so that an archive put together here equals the one made on the server.
Source: APPNOTE.TXT 6.3 sections 4.3 to 4.5, and zipfile's choice of when to use zip64.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_ZIP64_OVER = (1 << 31) - 1  # zipfile's limit, not the format's
_MANY = (1 << 16) - 1
_FULL = 0xFFFFFFFF
_VERSION, _VERSION_ZIP64 = 20, 45
_UTF8_NAME = 0x800
_UNIX = 3
_DOS_DATE = 0 << 9 | 1 << 5 | 1  # 1980-01-01, the first a zip can hold
_MODE = 0o644 << 16


@dataclass(frozen=True)
class Slot:
    """One file of the archive: its name, bytes, and where its header and data begin."""

    name: str
    size: int
    header: int
    data: int

    @property
    def end(self) -> int:
        return self.data + self.size


class StoredZip:
    """The layout of an archive of `files`, (name, size in bytes) in order."""

    def __init__(self, files: Sequence[tuple[str, int]]) -> None:
        slots: list[Slot] = []
        at = 0
        for name, size in files:
            data = at + len(_local_header(name, size, 0))
            slots.append(Slot(name, size, at, data))
            at = data + size
        self.slots = tuple(slots)
        self.directory_at = at
        self.size = at + len(self.directory([0] * len(slots)))

    def header(self, slot: Slot, crc: int) -> bytes:
        """What stands before the data of a file, at `slot.header`."""
        return _local_header(slot.name, slot.size, crc)

    def directory(self, crcs: Sequence[int]) -> bytes:
        """The central directory and the end record, at `directory_at`."""
        entries = [_entry(slot, crc) for slot, crc in zip(self.slots, crcs, strict=True)]
        body = b"".join(entries)
        count, start = len(entries), self.directory_at
        tail = b""
        if count > _MANY or start > _ZIP64_OVER or len(body) > _ZIP64_OVER:
            tail = struct.pack(
                "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(body), start
            ) + struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(body), 1)
        few = min(count, 0xFFFF)
        end = struct.pack(
            "<4s4H2LH", b"PK\x05\x06", 0, 0, few, few, min(len(body), _FULL), min(start, _FULL), 0
        )
        return body + tail + end


def _name(name: str) -> tuple[bytes, int]:
    try:
        return name.encode("ascii"), 0
    except UnicodeEncodeError:
        return name.encode("utf-8"), _UTF8_NAME


def _needs_zip64(size: int) -> bool:
    return size * 1.05 > _ZIP64_OVER  # zipfile leaves room for data that grows when packed


def _local_header(name: str, size: int, crc: int) -> bytes:
    raw, flags = _name(name)
    extra, shown, version = b"", size, _VERSION
    if _needs_zip64(size):
        extra, shown, version = struct.pack("<HHQQ", 1, 16, size, size), _FULL, _VERSION_ZIP64
    return (
        struct.pack("<4s2B4HL2L2H", b"PK\x03\x04", version, 0, flags, 0, 0, _DOS_DATE, crc,
                    shown, shown, len(raw), len(extra))
        + raw + extra
    )  # fmt: skip


def _entry(slot: Slot, crc: int) -> bytes:
    raw, flags = _name(slot.name)
    large: list[int] = []
    size, offset = slot.size, slot.header
    if size > _ZIP64_OVER:
        large += [size, size]
        size = _FULL
    if offset > _ZIP64_OVER:
        large.append(offset)
        offset = _FULL
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    version = _VERSION_ZIP64 if large or _needs_zip64(slot.size) else _VERSION
    return (
        struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", version, _UNIX, version, 0, flags, 0, 0,
                    _DOS_DATE, crc, size, size, len(raw), len(extra), 0, 0, 0, _MODE, offset)
        + raw + extra
    )  # fmt: skip
