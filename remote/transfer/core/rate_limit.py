"""A cap on bytes a second, shared by all connections of a transfer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic


class RateLimiter:
    """A token bucket one second deep. `rate` in bytes a second; None is no cap."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at = clock()  # when the bucket would be full again

    def delay(self, count: int) -> float:
        """Account for `count` bytes and return how many seconds to wait before moving them."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            self._full_at = max(self._full_at, now) + count / self._rate
            return max(0.0, self._full_at - now - 1.0)

    def inflight(self, most: int, least: int) -> int:
        """How much to ask for ahead: no more than the cap lets through in a second."""
        return most if self._rate is None else max(least, min(most, int(self._rate)))
