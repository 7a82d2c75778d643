"""Curves that grow: persistent views over a shared buffer, bounded in length.

A `Series` is a value: `extended` returns a new one and never changes what the old one shows.
Appending costs O(1) because views share a buffer, as slices of an append-only log may. Plain
`array` buffers, so that the store needs no numpy; the chart turns them into arrays.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

LIMIT = 8192


@dataclass
class _Buffer:
    x: array[float] = field(default_factory=lambda: array("d"))
    y: array[float] = field(default_factory=lambda: array("d"))


@dataclass(frozen=True)
class Series:
    """Points (x, y) with x strictly rising; y may be NaN, which is a gap in the line.

    Once longer than `limit`, `full="thin"` halves the resolution, keeping extremes
    (loss curves), `full="roll"` forgets the oldest (telemetry windows).
    """

    limit: int = LIMIT
    full: Literal["thin", "roll"] = "thin"
    start: int = 0
    stop: int = 0
    buffer: _Buffer = field(default_factory=_Buffer, compare=False, repr=False)

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return zip(self.xs(), self.ys(), strict=True)

    def xs(self) -> array[float]:
        """The x values (N,), a copy."""
        return self.buffer.x[self.start : self.stop]

    def ys(self) -> array[float]:
        """The y values (N,), a copy; NaN is a gap."""
        return self.buffer.y[self.start : self.stop]

    def last(self) -> float | None:
        """The latest finite y."""
        for index in range(self.stop - 1, self.start - 1, -1):
            if math.isfinite(self.buffer.y[index]):
                return self.buffer.y[index]
        return None

    def extended(self, points: Iterable[tuple[float, float | None]]) -> Series:
        """With `points` appended. A point at or before the end rewinds to it first.

        A resumed run repeats the updates after its last checkpoint: the new attempt's values
        take the place of the old.
        """
        buffer, start, stop = self.buffer, self.start, self.stop
        for x, y in points:
            if not math.isfinite(x):
                continue
            while stop > start and buffer.x[stop - 1] >= x:
                stop -= 1
            if stop != len(buffer.x):  # another view has written past our end
                buffer = _Buffer(buffer.x[start:stop], buffer.y[start:stop])
                start, stop = 0, len(buffer.x)
            buffer.x.append(x)
            buffer.y.append(y if y is not None and math.isfinite(y) else math.nan)
            stop += 1
            if stop - start > self.limit:
                bounded = Series(self.limit, self.full, start, stop, buffer)._bounded()
                buffer, start, stop = bounded.buffer, bounded.start, bounded.stop
        return Series(self.limit, self.full, start, stop, buffer)

    def _copied(self) -> Series:
        buffer = _Buffer(self.xs(), self.ys())
        return Series(self.limit, self.full, 0, len(buffer.x), buffer)

    def _bounded(self) -> Series:
        if self.full == "thin":
            return self._thinned()
        rolled = Series(self.limit, self.full, self.stop - self.limit, self.stop, self.buffer)
        return rolled._copied() if rolled.start > self.limit else rolled

    def _thinned(self) -> Series:
        """Cut the x range into limit/4 even buckets and keep each one's lowest and highest.

        Even in x, not in points: however often this happens, early and late parts of the
        curve are drawn equally fine.
        """
        x, y = self.buffer.x, self.buffer.y
        first, last = self.start, self.stop - 1
        buckets = self.limit // 4
        width = (x[last] - x[first]) / buckets
        extremes: dict[int, tuple[int, int]] = {}
        for index in range(first, self.stop):
            bucket = min(buckets - 1, int((x[index] - x[first]) / width))
            pair = extremes.get(bucket)
            if pair is None or not math.isfinite(y[pair[0]]):
                # A gap counts only where a bucket holds nothing else.
                extremes[bucket] = (index, index)
            elif math.isfinite(y[index]):
                low, high = pair
                extremes[bucket] = (
                    index if y[index] < y[low] else low,
                    index if y[index] > y[high] else high,
                )
        kept = {index for pair in extremes.values() for index in pair} | {first, last}
        buffer = _Buffer()
        for index in sorted(kept):
            buffer.x.append(x[index])
            buffer.y.append(y[index])
        return Series(self.limit, self.full, 0, len(buffer.x), buffer)
