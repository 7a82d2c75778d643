"""A recording's waveform as dots, and the window that is trimmed from it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from sovdeck.engine.contract.reference_segment import MAX_REFERENCE_S, MIN_REFERENCE_S
from sovdeck.tui.charts.raster import DotGrid

TrimWindow = tuple[float, float]
WindowEdge = Literal["start", "end", "both"]


def peak_columns(peaks: Sequence[float], count: int) -> list[float]:
    """`peaks` as `count` heights: the loudest of each stretch, so no syllable is lost.

    Where there are more columns than values, heights are interpolated.
    """
    if not peaks or count < 1:
        return []
    if count > len(peaks):
        return [_interpolate(peaks, n * (len(peaks) - 1) / max(1, count - 1)) for n in range(count)]
    heights = []
    for n in range(count):
        first = n * len(peaks) // count
        last = max(first + 1, math.ceil((n + 1) * len(peaks) / count))
        heights.append(max(peaks[first:last]))
    return heights


def _interpolate(peaks: Sequence[float], at: float) -> float:
    low = min(int(at), len(peaks) - 1)
    high = min(low + 1, len(peaks) - 1)
    return peaks[low] + (peaks[high] - peaks[low]) * (at - low)


def waveform_rows(peaks: Sequence[float], width: int, height: int, grid: DotGrid) -> list[str]:
    """`height` rows of `width` glyphs, mirrored about the middle; silence is a thin line."""
    dots = peak_columns(peaks, width * grid.across)
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


def column_at(second: float, seconds: float, width: int) -> int:
    """The cell in which `second` lies."""
    if seconds <= 0:
        return 0
    return min(width - 1, max(0, int(second / seconds * width)))


def window_columns(window: TrimWindow | None, seconds: float, width: int) -> tuple[int, int]:
    """First and last cell of the window; all cells without one."""
    if window is None:
        return 0, width - 1
    return column_at(window[0], seconds, width), column_at(window[1] - 1e-6, seconds, width)


def move_window(window: TrimWindow, edge: WindowEdge, by: float, seconds: float) -> TrimWindow:
    """`window` with one edge, or all of it, moved by `by` seconds as far as allowed.

    It stays inside the recording and, where the recording is long enough, 3 to 10 s long.
    """
    start, end = window
    shortest = min(MIN_REFERENCE_S, seconds)
    if edge == "both":
        by = min(max(by, -start), seconds - end)
        return round(start + by, 2), round(end + by, 2)
    if edge == "start":
        start = min(max(start + by, 0.0, end - MAX_REFERENCE_S), end - shortest)
    else:
        end = max(min(end + by, seconds, start + MAX_REFERENCE_S), start + shortest)
    return round(start, 2), round(end, 2)
