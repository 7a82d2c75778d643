"""Noticing a dead peer from the one thread that already listens to it.

A mixin for the SSH library's packet layer. Paramiko's own keepalive never reads the replies and
TCP gives up after minutes (ssh.md section 4), so silence is measured here: after `every` seconds
without a packet the peer is asked for a sign of life, and `limit` seconds of silence end the link.
While an upload fills the socket a question would only queue behind it; there, a write that
makes no progress for `limit` seconds says the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Pulse:
    """Mixin over paramiko.Packetizer."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)  # type: ignore[call-arg]
        self.fault: Exception | None = None
        self._every = self._limit = 0.0
        self._ask: Callable[[], None] = lambda: None
        self._heard = time.monotonic()
        self._asked: float | None = None
        self._writing: float | None = None

    def start_pulse(self, every: float, limit: float, ask: Callable[[], None]) -> None:
        """Begin to watch: ask after `every` silent seconds, give up after `limit`."""
        self._heard = time.monotonic()
        self._every, self._limit, self._ask = every, limit, ask

    def read_message(self) -> Any:
        found = super().read_message()  # type: ignore[misc]
        self._heard = time.monotonic()
        self._asked = None
        return found

    def write_all(self, out: bytes) -> None:
        self._writing = time.monotonic()
        try:
            super().write_all(out)  # type: ignore[misc]
        finally:
            self._writing = None

    def _check_keepalive(self) -> None:
        # Called by paramiko whenever a receive found nothing for a moment.
        if not self._limit:
            return
        now = time.monotonic()
        writing, asked = self._writing, self._asked
        if asked is not None:
            dead = now - asked >= self._limit - self._every
        else:
            dead = writing is not None and now - max(writing, self._heard) >= self._limit
        if dead:
            self.fault = TimeoutError(f"no sign of life for {now - self._heard:.0f} s")
            raise EOFError
        if asked is None and writing is None and now - self._heard >= self._every:
            self._asked = now
            self._ask()
