"""SFTP version 3 packets as bytes: building requests and reading replies. Pure, no I/O.

Source: draft-ietf-secsh-filexfer-02 and OpenSSH's PROTOCOL file (limits@openssh.com). Everything
that comes from a server is checked for length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sovdeck.engine.contract.problem import ExitCode, Problem

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE, STAT = 3, 4, 5, 6, 17
STATUS, HANDLE, DATA, ATTRS = 101, 102, 103, 105
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED = 0, 1, 2, 3

FOR_READING, FOR_WRITING, CREATE = 0x01, 0x02, 0x08

LIMITS = b"limits@openssh.com"
# Without the limits extension every server must still take reads and writes of 32 KiB.
DEFAULT_PAYLOAD = 32768
# With it OpenSSH says 261120; more would not fit its 256 KiB packets.
MAX_PAYLOAD = 261120
# Longest reply taken from a server: a full DATA packet and some room for names.
MAX_REPLY = 1 << 20

_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES = 0x1, 0x2, 0x4, 0x8


@dataclass(frozen=True)
class FileAttributes:
    """What STAT says. Size in bytes, mtime in Unix seconds; None where the server is silent."""

    size: int | None
    mtime: int | None
    mode: int | None


def garbled(why: str) -> Problem:
    """Make the Problem for bytes that are not SFTP version 3."""
    return Problem("remote.transfer.garbled", ExitCode.UNREACHABLE, why=why)


def string(data: bytes) -> bytes:
    """Encode bytes with their length."""
    return struct.pack(">I", len(data)) + data


def request(kind: int, request_id: int, payload: bytes) -> bytes:
    """Build a packet of `kind` with its request number."""
    return struct.pack(">IBI", 5 + len(payload), kind, request_id) + payload


def read(request_id: int, handle: bytes, offset: int, length: int) -> bytes:
    """Build a READ request of `length` bytes."""
    return request(READ, request_id, string(handle) + struct.pack(">QI", offset, length))


def write_head(request_id: int, handle: bytes, offset: int, length: int) -> bytes:
    """Build what goes before the `length` bytes of a WRITE request: they are not copied here."""
    fields = string(handle) + struct.pack(">QI", offset, length)
    return struct.pack(">IBI", 5 + len(fields) + length, WRITE, request_id) + fields


class PacketReader:
    """Takes fields from one reply body in order; Problem `garbled` when it is too short."""

    def __init__(self, body: bytes | memoryview) -> None:
        self._body = memoryview(body)

    def _take(self, count: int) -> memoryview:
        if count > len(self._body):
            raise garbled(f"{count} bytes wanted, {len(self._body)} left")
        part, self._body = self._body[:count], self._body[count:]
        return part

    def u32(self) -> int:
        """Take an unsigned number of 4 bytes."""
        return int.from_bytes(self._take(4), "big")

    def u64(self) -> int:
        """Take an unsigned number of 8 bytes."""
        return int.from_bytes(self._take(8), "big")

    def string(self) -> bytes:
        """Take bytes that carry their length."""
        return bytes(self._take(self.u32()))

    def attributes(self) -> FileAttributes:
        """Take file attributes."""
        flags = self.u32()
        size = self.u64() if flags & _HAS_SIZE else None
        if flags & _HAS_OWNER:
            self.u64()
        mode = self.u32() if flags & _HAS_MODE else None
        mtime = None
        if flags & _HAS_TIMES:
            self.u32()
            mtime = self.u32()
        return FileAttributes(size, mtime, mode)

    def status_problem(self, path: str) -> Problem | None:
        """Take a STATUS: the server's "no" as a Problem, None for a "yes"."""
        code = self.u32()
        if code == OK:
            return None
        if code == EOF:  # shorter than it was when we asked for its size
            return Problem("remote.transfer.changed", ExitCode.DATA, path=path)
        if code == NO_SUCH_FILE:
            return Problem("remote.transfer.no_such_file", ExitCode.DATA, path=path)
        if code == PERMISSION_DENIED:
            return Problem("remote.transfer.not_allowed", ExitCode.DATA, path=path)
        # Some servers of version 3 leave the words out.
        message = self.string().decode("utf-8", "replace") if len(self._body) >= 4 else ""
        why = "".join(c for c in message if c.isprintable())[:200] or f"status {code}"
        return Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)

    def payload_limits(self) -> tuple[int, int]:
        """Take the reply to LIMITS: largest (read, write) payload in bytes."""
        self.u64()  # longest packet
        longest_read, longest_write = self.u64(), self.u64()
        return (
            min(longest_read or DEFAULT_PAYLOAD, MAX_PAYLOAD),
            min(longest_write or DEFAULT_PAYLOAD, MAX_PAYLOAD),
        )
