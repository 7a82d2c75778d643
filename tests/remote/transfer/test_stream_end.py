"""A connection that ends under a read is a lost link, never a bare library error."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sovdeck.remote.errors import ConnectionLost
from sovdeck.remote.ssh.channel_stream import ChannelStream


class Buffer:
    def set_event(self, event: Any) -> None:
        pass


class Dying:
    """A channel with bytes waiting, on a connection that ends as they are taken."""

    def __init__(self, error: BaseException, ready: bool) -> None:
        self.error, self.ready = error, ready
        self.closed, self.exit_status, self.eof_received = not ready, -1, False
        self.exit_signal, self.status_event = "", threading.Event()
        self.in_buffer = self.in_stderr_buffer = Buffer()

    def recv(self, nbytes: int) -> bytes:
        raise self.error

    def recv_ready(self) -> bool:
        return self.ready

    def recv_stderr_ready(self) -> bool:
        return False

    def settimeout(self, timeout: float | None) -> None:
        pass

    def close(self) -> None:
        raise self.error


class FakeConnection:
    name, alive = "box", True  # the library notices a moment later

    def failure_reason(self) -> str:
        return "reset"


@pytest.mark.parametrize("error", [EOFError(), OSError("reset")], ids=["eof", "os"])
@pytest.mark.parametrize("ready", [True, False], ids=["waiting", "closing"])
def test_a_read_on_a_dying_connection_is_a_lost_link(error: BaseException, ready: bool) -> None:
    stream = ChannelStream(Dying(error, ready), FakeConnection())  # type: ignore[arg-type]
    with pytest.raises(ConnectionLost):
        stream.read(10)
    stream.close()
    assert stream.read(10) == b"", "closed by ourselves: an end, not a fault"
