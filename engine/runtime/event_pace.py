"""How often events of one kind are written, so that a run of weeks leaves a file one can keep."""

from __future__ import annotations

import time
from collections.abc import Callable


class EventPace:
    """Says whether the next event is due: the first `free` at once, then `seconds` apart.

    clock: monotonic seconds.
    """

    def __init__(
        self, free: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = free
        self._seconds = seconds
        self._clock = clock
        self._last = clock() - seconds

    def is_due(self, *, forced: bool = False) -> bool:
        """Whether to write an event now, which then counts as written; `forced` always does."""
        now = self._clock()
        if not forced and self._free <= 0 and now - self._last < self._seconds:
            return False
        self._free -= 1
        self._last = now
        return True
