"""The way through a jump host, as the next connection wants it."""

from __future__ import annotations

import contextlib
from typing import Any


class HopSocket:
    """The channel through a hop, as the socket of the next connection."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def close(self) -> None:
        # Closing a channel sends a message; when the hop is what died, there is no way to.
        with contextlib.suppress(EOFError, OSError):
            self._channel.close()
