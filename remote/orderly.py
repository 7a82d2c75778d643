"""Words of a channel that never come after its end.

A mixin for the SSH library's channel. Paramiko prepares a message under the channel's lock and
sends it after. When the server closes the channel in between, the library's answer to that
overtakes the message, and OpenSSH ends the whole connection because of a message for a channel
it no longer knows. Here a message is looked at once more when its turn to be sent has come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Late:
    """A message that is made when its turn has come; None when it has become idle by then."""

    def __init__(self, make: Callable[[], Any | None]) -> None:
        self.make = make


class OrderlyChannel:
    """Mixin over paramiko.Channel, whose transport sends `Late` messages."""

    lock: Any
    closed: bool
    transport: Any
    _send_eof: Callable[[], Any | None]
    _wait_for_send_window: Callable[[int], int]

    def shutdown(self, how: int) -> None:
        """End our input (1), theirs (0), or both (2)."""
        if how != 1:
            super().shutdown(0)  # type: ignore[misc]
        if how != 0:
            self.transport._send_user_message(Late(self._ending))

    def _ending(self) -> Any | None:
        with self.lock:
            return self._send_eof()  # None when the channel was closed, by whomever

    def _send(self, data: Any, message: Any) -> int:
        """How many bytes of `data` went; 0 when the channel has ended."""
        with self.lock:
            if self.closed:
                raise OSError("Socket is closed")
            size = self._wait_for_send_window(len(data))
            if not size:
                return 0
            message.add_string(data[:size])
        # Not under the lock: while keys are exchanged, its holder would keep the reader waiting.
        self.transport._send_user_message(Late(lambda: self._unless_closed(message)))
        return size

    def _unless_closed(self, message: Any) -> Any | None:
        with self.lock:
            return None if self.closed else message
