"""Sets of byte ranges, and the queue from which connections take their share. No I/O."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from sovdeck.remote.transfer.core.tuning import LEASE

Range = tuple[int, int]  # [start, end) in bytes


class RangeSet:
    """A set of bytes kept as sorted ranges that neither overlap nor touch."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[Range]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    @property
    def size(self) -> int:
        """Bytes in the set."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        """Put [start, end) in; ranges that touch become one."""
        if start >= end:
            return
        low = bisect_left(self._ends, start)  # first range that reaches start
        high = bisect_right(self._starts, end)  # first range that begins after end
        if low < high:
            start, end = min(start, self._starts[low]), max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take [start, end) out."""
        if start >= end:
            return
        kept: list[Range] = []
        for a, b in self:
            kept += [(x, y) for x, y in ((a, min(b, start)), (max(a, end), b)) if x < y]
        self._starts = [a for a, _ in kept]
        self._ends = [b for _, b in kept]

    def gaps(self, size: int) -> list[Range]:
        """What is missing of [0, size)."""
        edges = [0, *(edge for pair in self for edge in pair), size]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return [(a, b) for a, b in pairs if a < b]

    def prefix(self) -> int:
        """How many bytes from 0 on are in the set without a gap."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0


class RangeQueue:
    """What is still to be moved, shared by all connections of one transfer.

    A connection takes a range, carves requests from it, and gives back what it could not
    finish. Low offsets go first, so that the hash that follows the prefix stays close. `lease`:
    most bytes a connection takes at a time.
    """

    def __init__(self, ranges: Iterable[Range], lease: int = LEASE) -> None:
        self._lock = threading.Lock()
        self._lease = lease
        self._waiting = RangeSet(ranges)
        self._leased = RangeSet()

    def take(self) -> Range | None:
        """The next range of at most `lease` bytes; None when nothing waits now."""
        with self._lock:
            for start, end in self._waiting:
                end = min(end, start + self._lease)
                self._waiting.remove(start, end)
                self._leased.add(start, end)
                return start, end
            return None

    def done(self, start: int, end: int) -> None:
        """Note that [start, end) of a taken range was moved."""
        with self._lock:
            self._leased.remove(start, end)

    def give_back(self, ranges: Iterable[Range]) -> None:
        """Put back ranges that were taken and not moved."""
        with self._lock:
            for start, end in ranges:
                self._waiting.add(start, end)
                self._leased.remove(start, end)

    @property
    def left(self) -> int:
        """Bytes that wait or are out with a connection."""
        with self._lock:
            return self._waiting.size + self._leased.size

    def moved_before(self, size: int) -> int:
        """Up to where of a file of `size` bytes nothing waits or is out with a connection."""
        with self._lock:
            return min((start for start, _ in (*self._waiting, *self._leased)), default=size)

    @property
    def waiting(self) -> bool:
        """Whether a range can be taken now."""
        with self._lock:
            return self._waiting.size > 0

    @property
    def over(self) -> bool:
        """Whether everything was moved."""
        return self.left == 0
