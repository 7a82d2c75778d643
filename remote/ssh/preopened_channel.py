"""A session channel opened ahead of need: a command on it takes one round trip instead of two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class PreopenedChannel:
    """Holds at most one unused channel. Safe from any thread.

    open_session: opens a channel, waiting for the server's answer. broken: what that raises when
    the server allows no more of them or the connection is gone; none is held then.
    """

    def __init__(
        self, open_session: Callable[[], Any], broken: tuple[type[BaseException], ...]
    ) -> None:
        self._open_session = open_session
        self._broken = broken
        self._lock = threading.Lock()
        self._channel: Any = None
        self._opening = False
        self._given_up = False

    def take(self) -> Any:
        """The waiting channel, or None when there is none (any more)."""
        with self._lock:
            channel, self._channel = self._channel, None
        return channel if channel is not None and not channel.closed else None

    def prepare(self) -> None:
        """Begin to open the next one; returns at once."""
        with self._lock:
            if self._opening or self._given_up or self._channel is not None:
                return
            self._opening = True
        threading.Thread(target=self.open, name="preopened-channel", daemon=True).start()

    def give_up(self) -> bool:
        """Hold none from now on: sessions are few there. Whether one was held or on its way."""
        with self._lock:
            channel, self._channel = self._channel, None
            coming, self._given_up = self._opening, True
        if channel is not None:
            channel.close()
        return channel is not None or coming

    def open(self) -> None:
        """Open the next one now."""
        channel = None
        try:
            channel = self._open_session()
        except self._broken:
            pass  # the next command opens its own channel and says what is wrong
        finally:
            with self._lock:
                needed, self._opening = self._channel is None and not self._given_up, False
                if needed:
                    self._channel = channel
            if channel is not None and not needed:
                channel.close()
