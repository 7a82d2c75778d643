"""Noticing a dead peer from the one thread that already listens to it.

A mixin for the SSH library's packet layer. Paramiko's own keepalive never reads the replies and
TCP gives up after minutes (ssh.md section 4), so silence is measured here: after `every` seconds
without a packet the peer is asked for a sign of life, and `limit` seconds of silence end the link.

A slow upload is silent too: the question waits behind megabytes in the system's send buffer.
There, the peer lives as long as it acknowledges, that is while the buffer drains. Where the
system does not tell (Windows, a hop's channel), an upload gets four times the patience.
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


class Pulse:
    """Mixin over paramiko.Packetizer."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)  # type: ignore[call-arg]
        self.fault: Exception | None = None
        self._wire = sock
        self._every = self._limit = 0.0
        self._ask: Callable[[], None] = lambda: None
        self._alive = time.monotonic()  # when the peer last showed life
        self._asked: float | None = None
        self._writing: float | None = None
        self._bulk = 0.0
        self._queued: int | None = None

    def start_pulse(self, every: float, limit: float, ask: Callable[[], None]) -> None:
        """Begin to watch: ask after `every` silent seconds, give up after `limit`."""
        self._alive = time.monotonic()
        self._every, self._limit, self._ask = every, limit, ask

    def read_message(self) -> Any:
        found = super().read_message()  # type: ignore[misc]
        self._alive = time.monotonic()
        self._asked = None
        return found

    def write_all(self, out: bytes) -> None:
        self._writing = time.monotonic()
        if len(out) >= _BULK_BYTES:
            self._bulk = self._writing
        try:
            super().write_all(out)  # type: ignore[misc]
        finally:
            self._writing = None

    def _check_keepalive(self) -> None:
        # Called by paramiko whenever a receive found nothing for a moment.
        if not self._limit:
            return
        now = time.monotonic()
        queued = queue_of(self._wire)
        if queued is not None and self._queued is not None and queued < self._queued:
            self._alive = now
        self._queued = queued
        blind = queued is None and now - self._bulk < _BULK_MEMORY_S
        limit = 4 * self._limit if blind else self._limit
        writing, asked = self._writing, self._asked
        if writing is not None:
            dead = now - max(writing, self._alive) >= limit
        else:
            dead = asked is not None and now - max(asked, self._alive) >= limit - self._every
        if dead:
            self.fault = TimeoutError(f"no sign of life for {now - self._alive:.0f} s")
            raise EOFError
        if asked is None and writing is None and now - self._alive >= self._every:
            self._asked = now
            self._ask()


def queue_of(sock: Any) -> int | None:
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
