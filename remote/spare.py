"""A session channel opened ahead of need: a command on it takes one round trip instead of two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Spare:
    """Holds at most one unused channel. Safe from any thread.

    open_session: opens a channel, waiting for the server's word. broken: what that raises when
    the server allows no more of them or the connection is gone; there is no spare then.
    """

    def __init__(
        self, open_session: Callable[[], Any], broken: tuple[type[BaseException], ...]
    ) -> None:
        self._open_session = open_session
        self._broken = broken
        self._lock = threading.Lock()
        self._channel: Any = None
        self._opening = False

    def take(self) -> Any:
        """The waiting channel, or None when there is none (any more)."""
        with self._lock:
            channel, self._channel = self._channel, None
        return channel if channel is not None and not channel.closed else None

    def prepare(self) -> None:
        """Begin to open the next one; returns at once."""
        with self._lock:
            if self._opening or self._channel is not None:
                return
            self._opening = True
        threading.Thread(target=self.open, name="spare-channel", daemon=True).start()

    def open(self) -> None:
        """Open the next one now."""
        channel = None
        try:
            channel = self._open_session()
        except self._broken:
            pass  # the next command opens its own channel and says what is wrong
        finally:
            with self._lock:
                needed, self._opening = self._channel is None, False
                if needed:
                    self._channel = channel
            if channel is not None and not needed:
                channel.close()
