"""Further connections to one server, for sessions that its sshd does not allow on the first.

sshd allows ten sessions on a connection, or as few as one (MaxSessions); a dashboard watches,
follows and speaks at once. What does not fit goes over a connection more: a log-in slower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class SessionRefused(Exception):
    """The server allows no further session on this connection; the text is its reason."""


class Closable(Protocol):
    """The part of a connection used here."""

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""

    def close(self) -> None:
        """End the connection."""


ConnectionT = TypeVar("ConnectionT", bound=Closable)
OpenedT = TypeVar("OpenedT")


class FurtherConnections(Generic[ConnectionT]):
    """Connections made when the ones before were full. Safe from any thread.

    connect: logs in once more; raises Problem when it cannot.
    """

    def __init__(self, connect: Callable[[], ConnectionT]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connections: list[ConnectionT] = []
        self._closed = False

    def open(self, open_on: Callable[[ConnectionT], OpenedT]) -> OpenedT:
        """Return what `open_on` returns for the first connection that does not refuse.

        open_on: raises SessionRefused where the connection is full.
        """
        with self._lock:  # one at a time: two threads shall not log in for one session each
            self._connections = [one for one in self._connections if one.alive]
            for connection in self._connections:
                try:
                    return open_on(connection)
                except SessionRefused:
                    continue
            connection = self._connect()
            self._connections.append(connection)
            if self._closed:
                connection.close()
            return open_on(connection)

    def close(self) -> None:
        """End them all."""
        self._closed = True
        for connection in list(self._connections):
            connection.close()
