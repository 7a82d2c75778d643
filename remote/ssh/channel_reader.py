"""A long-lived reader of one server channel that can be closed from any thread."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

from sovdeck.remote.ssh.channel_stream import ChannelStream
from sovdeck.remote.ssh.client import SSHConnection

ConnectionSource = Callable[[], SSHConnection]


def retry_delay(attempt: int) -> float:
    """Seconds before the next try: 0.2 doubling to 15, with jitter so that readers spread."""
    return float(min(15.0, 0.2 * 2 ** min(attempt, 10)) * random.uniform(0.7, 1.3))


class ChannelReader:
    """Opens one stream at a time over whatever connection `connection_source` gives now.

    connection_source: returns a live connection, or raises the Problem that says why there is none.
    wait: seconds to wait after the n-th failure in a row.
    """

    def __init__(
        self, connection_source: ConnectionSource, wait: Callable[[int], float] = retry_delay
    ) -> None:
        self._connection_source = connection_source
        self._wait = wait
        self._closed = threading.Event()
        self._stream: ChannelStream | None = None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def open(self, argv: Sequence[str]) -> ChannelStream:
        """Run argv on the server and return its stream; the caller closes it."""
        stream = self._connection_source().open_stream(argv)
        self._stream = stream
        if self.closed:  # closed while opening: nobody else would close this one
            stream.close()
        return stream

    def wait_before_retry(self, failures: int) -> None:
        """Wait before another try; cut short by `close`."""
        self._closed.wait(self._wait(failures))

    def close(self) -> None:
        """End the open stream and every wait."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.close()
