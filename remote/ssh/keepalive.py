"""Keepalive: notices a dead peer from the one thread that already reads its packets.

A mixin for the SSH library's packet layer. Paramiko's own keepalive never reads the replies and
TCP gives up after minutes (ssh.md section 4), so silence is measured here: after `every` seconds
without a packet the peer is sent a keepalive request, and `limit` seconds of silence end the
connection.

A slow upload is silent too: the request waits behind megabytes in the system's send buffer.
There, the peer lives as long as it acknowledges, that is while the buffer drains. Where the
system does not tell (Windows, a hop's channel), an upload is given four times the limit.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

_BULK_BYTES = 4096  # smaller writes leave no queue worth waiting for
_BULK_MEMORY_S = 10.0
_SO_NWRITE = 0x1024  # macOS, sys/socket.h


class KeepaliveMixin:
    """Mixin over paramiko.Packetizer. failure: why the peer was given up, None while it was not."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)  # type: ignore[call-arg]
        self.failure: Exception | None = None
        self._keepalive_socket = sock
        self._keepalive_after = self._dead_after = 0.0
        self._send_request: Callable[[], None] = lambda: None
        self._last_seen = time.monotonic()  # when the peer last sent or acknowledged something
        self._requested_at: float | None = None
        self._write_began: float | None = None
        self._last_bulk_write = 0.0
        self._unacknowledged: int | None = None

    def start_keepalive(self, every: float, limit: float, send_request: Callable[[], None]) -> None:
        """Send a request after `every` silent seconds, give up after `limit`."""
        self._last_seen = time.monotonic()
        self._keepalive_after, self._dead_after, self._send_request = every, limit, send_request

    def read_message(self) -> Any:
        """Read one packet and note that the peer is alive."""
        found = super().read_message()  # type: ignore[misc]
        self._last_seen = time.monotonic()
        self._requested_at = None
        return found

    def write_all(self, out: bytes) -> None:
        """Write `out`, noting since when that blocks."""
        self._write_began = time.monotonic()
        if len(out) >= _BULK_BYTES:
            self._last_bulk_write = self._write_began
        try:
            super().write_all(out)  # type: ignore[misc]
        finally:
            self._write_began = None

    def _check_keepalive(self) -> None:
        # Called by paramiko whenever a receive found nothing for a moment.
        if not self._dead_after:
            return
        now = time.monotonic()
        queued = unacknowledged_bytes(self._keepalive_socket)
        if (
            queued is not None
            and self._unacknowledged is not None
            and queued < self._unacknowledged
        ):
            self._last_seen = now
        self._unacknowledged = queued
        blind = queued is None and now - self._last_bulk_write < _BULK_MEMORY_S
        limit = 4 * self._dead_after if blind else self._dead_after
        writing, asked = self._write_began, self._requested_at
        if writing is not None:
            dead = now - max(writing, self._last_seen) >= limit
        else:
            dead = (
                asked is not None
                and now - max(asked, self._last_seen) >= limit - self._keepalive_after
            )
        if dead:
            self.failure = TimeoutError(f"no sign of life for {now - self._last_seen:.0f} s")
            raise EOFError
        if asked is None and writing is None and now - self._last_seen >= self._keepalive_after:
            self._requested_at = now
            self._send_request()


def unacknowledged_bytes(sock: Any) -> int | None:
    """Bytes sent but not yet acknowledged by the peer, or None where the system does not tell."""
    if not isinstance(sock, socket.socket):
        return None
    try:
        if sys.platform == "linux":
            import fcntl
            import termios

            answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
            return int(struct.unpack("i", answer)[0])
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    except (OSError, ValueError):
        return None  # closed meanwhile: the next receive says so
    return None
