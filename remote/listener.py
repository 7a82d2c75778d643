"""A long-lived reader of one server channel that can be closed from any thread."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

from remote.link import Link, Stream

LinkSource = Callable[[], Link]


def retry_wait(attempt: int) -> float:
    """Seconds before the next try: 0.2 doubling to 15, with jitter so that readers spread."""
    return float(min(15.0, 0.2 * 2 ** min(attempt, 10)) * random.uniform(0.7, 1.3))


class Listener:
    """Opens one stream at a time over whatever link `link_source` gives now.

    link_source: returns a live link, or raises the Problem that says why there is none.
    wait: seconds to rest after the n-th failure in a row.
    """

    def __init__(self, link_source: LinkSource, wait: Callable[[int], float] = retry_wait) -> None:
        self._link_source = link_source
        self._wait = wait
        self._closed = threading.Event()
        self._stream: Stream | None = None

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def open(self, argv: Sequence[str]) -> Stream:
        stream = self._link_source().open_stream(argv)
        self._stream = stream
        if self.closed:  # closed while opening: nobody else would close this one
            stream.close()
        return stream

    def rest(self, failures: int) -> None:
        """Wait before another try; cut short by `close`."""
        self._closed.wait(self._wait(failures))

    def close(self) -> None:
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.close()
