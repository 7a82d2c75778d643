"""Retries an action once over a new connection when the one it began with is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sovdeck.remote.errors import ConnectionLost
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.pool import Connect

Answer = TypeVar("Answer")


def retry_on_new_connection(
    connection: SSHConnection, connect: Connect, action: Callable[[SSHConnection], Answer]
) -> Answer:
    """Call `action` with `connection`; when that raises ConnectionLost, once more with a new one.

    For what comes after hours of work, when the connection may be gone. The server may see the
    action twice, so it must do no harm the second time.
    """
    try:
        return action(connection)
    except ConnectionLost:
        with connect() as new_connection:
            return action(new_connection)
