"""Lines to dots: polylines drawn into a grid of terminal cells. numpy, pure.

A cell holds `across x down` dots: braille 2 x 4, quadrant blocks 2 x 2, ASCII 1 x 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Marker = Literal["braille", "block", "ascii"]
MARKERS: tuple[Marker, ...] = ("braille", "block", "ascii")

_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"


@dataclass(frozen=True)
class DotGrid:
    """How many dots a cell has and the glyph of each dot pattern.

    `bits[r][c]` is the bit of the dot in row r, column c; `glyphs` is indexed by the pattern.
    """

    across: int
    down: int
    bits: tuple[tuple[int, ...], ...]
    glyphs: str


GRIDS: dict[Marker, DotGrid] = {
    "braille": DotGrid(
        2,
        4,
        ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80)),
        " " + "".join(chr(0x2800 + pattern) for pattern in range(1, 256)),
    ),
    "block": DotGrid(2, 2, ((1, 2), (4, 8)), _QUADRANTS),
    "ascii": DotGrid(1, 1, ((1,),), " *"),
}


@dataclass(frozen=True)
class PlotWindow:
    """The part of the plane on screen, in axis units (already logarithmic on a log axis)."""

    x0: float
    x1: float
    y0: float
    y1: float


def rasterize_polyline(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    window: PlotWindow,
    width: int,
    height: int,
    grid: DotGrid,
) -> NDArray[np.uint8]:
    """Dot patterns (height, width) of the polyline (x, y); NaN in y breaks the line.

    Every dot column shows the whole span the line covers there, so no spike is lost however
    many points fall into one column.
    """
    import numpy as np

    columns, rows = width * grid.across, height * grid.down
    low = np.full(columns, np.inf)
    high = np.full(columns, -np.inf)
    sx = (columns - 1) / max(window.x1 - window.x0, 1e-300)
    sy = (rows - 1) / max(window.y1 - window.y0, 1e-300)
    px = (x - window.x0) * sx
    py = (window.y1 - y) * sy
    for first, last in _finite_runs(np.isfinite(py)):
        _widen_columns(px[first:last], py[first:last], low, high)
    drawn = high >= low
    top = np.where(drawn, np.clip(np.rint(low), -1, rows), 1)
    bottom = np.where(drawn, np.clip(np.rint(high), -1, rows), 0)
    row = np.arange(rows)[:, None]
    dots = (row >= top) & (row <= bottom)
    cells = dots.reshape(height, grid.down, width, grid.across)
    weights = np.array(grid.bits, dtype=np.uint8)
    result: NDArray[np.uint8] = np.einsum("hdwa,da->hw", cells, weights).astype(np.uint8)
    return result


def _finite_runs(finite: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index ranges of consecutive finite points."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate(([0], finite.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _widen_columns(
    px: NDArray[np.float64],
    py: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    """Widen `low` and `high` of each dot column by one unbroken line."""
    import numpy as np

    columns = len(low)
    inside = (px > -0.5) & (px < columns - 0.5)
    index = np.rint(px[inside]).astype(np.intp)
    np.minimum.at(low, index, py[inside])
    np.maximum.at(high, index, py[inside])
    first = max(0, int(np.ceil(px[0])))
    last = min(columns - 1, int(np.floor(px[-1])))
    if last < first:
        return
    # Between points the line crosses columns: its height at each centre, joined to the last
    # column's by all rows between, so that a slope is one dot thick and a cliff has no hole.
    centres = np.arange(first, last + 1)
    height = np.rint(np.interp(centres, px, py))
    before = np.concatenate((height[:1], height[:-1]))
    here = slice(first, last + 1)
    low[here] = np.minimum(low[here], np.where(before < height, before + 1, height))
    high[here] = np.maximum(high[here], np.where(before > height, before - 1, height))
