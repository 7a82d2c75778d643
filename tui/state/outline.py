"""A recording's outline as dots, its ruler, and the window that is cut from it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from tui.state.raster import DotGrid

SHORTEST_S, LONGEST_S = 3.0, 10.0  # what a reference may last; the engine checks it again
Window = tuple[float, float]
Edge = Literal["start", "end", "both"]


def columns(peaks: Sequence[float], count: int) -> list[float]:
    """`peaks` as `count` heights: the loudest of each stretch, so no syllable is lost.

    Where there are more columns than values, the heights between two values are on their line.
    """
    if not peaks or count < 1:
        return []
    if count > len(peaks):
        return [_between(peaks, n * (len(peaks) - 1) / max(1, count - 1)) for n in range(count)]
    found = []
    for n in range(count):
        first = n * len(peaks) // count
        last = max(first + 1, math.ceil((n + 1) * len(peaks) / count))
        found.append(max(peaks[first:last]))
    return found


def _between(peaks: Sequence[float], at: float) -> float:
    low = min(int(at), len(peaks) - 1)
    high = min(low + 1, len(peaks) - 1)
    return peaks[low] + (peaks[high] - peaks[low]) * (at - low)


def wave(peaks: Sequence[float], width: int, height: int, grid: DotGrid) -> list[str]:
    """`height` rows of `width` glyphs, mirrored about the middle; silence is a thin line."""
    dots = columns(peaks, width * grid.across)
    middle = (height * grid.down - 1) / 2
    rows = []
    for top in range(0, height * grid.down, grid.down):
        cells = []
        for left in range(0, len(dots), grid.across):
            pattern = 0
            for r in range(grid.down):
                for c in range(grid.across):
                    reach = max(0.5, dots[left + c] * (middle + 0.5))
                    if abs(top + r - middle) <= reach:
                        pattern |= grid.bits[r][c]
            cells.append(grid.glyphs[pattern])
        rows.append("".join(cells))
    return rows


def column_of(second: float, seconds: float, width: int) -> int:
    """The cell in which a moment lies."""
    if seconds <= 0:
        return 0
    return min(width - 1, max(0, int(second / seconds * width)))


def span(window: Window | None, seconds: float, width: int) -> tuple[int, int]:
    """First and last cell of the part that is kept; everything without a window."""
    if window is None:
        return 0, width - 1
    return column_of(window[0], seconds, width), column_of(window[1] - 1e-6, seconds, width)


def moved(window: Window, edge: Edge, by: float, seconds: float) -> Window:
    """`window` with one edge, or all of it, moved by `by` seconds as far as it is allowed.

    It stays inside the recording and, where the recording is long enough, 3 to 10 s long.
    """
    start, end = window
    shortest = min(SHORTEST_S, seconds)
    if edge == "both":
        by = min(max(by, -start), seconds - end)
        return round(start + by, 2), round(end + by, 2)
    if edge == "start":
        start = min(max(start + by, 0.0, end - LONGEST_S), end - shortest)
    else:
        end = max(min(end + by, seconds, start + LONGEST_S), start + shortest)
    return round(start, 2), round(end, 2)


def fits(seconds: float) -> bool:
    return SHORTEST_S <= seconds <= LONGEST_S
