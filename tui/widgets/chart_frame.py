"""Builds the rows of a line chart: y axis, plot, x axis, legend. No state of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.state.raster import GRIDS, Marker, Window, patterns
from tui.state.ticks import label, linear_ticks, log_ticks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLOURS = 4
_MARGIN = 8  # seven cells of label and the axis itself
_LEGEND = 1
_AXIS = 2


@dataclass(frozen=True)
class Trace:
    """What is drawn of a curve: x, y (N,) and whether it stands back (raw behind smoothed).

    `beneath`: of another run, drawn below and named after the run on show.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: int
    dim: bool = False
    beneath: bool = False


class Charted(Protocol):
    """What the frame is built from; `LineChart` is one."""

    @property
    def log_y(self) -> bool: ...
    @property
    def marker(self) -> Marker: ...
    @property
    def view(self) -> tuple[float, float] | None: ...
    @property
    def cursor(self) -> float | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def marks(self) -> tuple[float, ...]: ...
    @property
    def limit(self) -> float | None: ...
    @property
    def rich_style(self) -> Style: ...
    def traces(self) -> tuple[Trace, ...]: ...
    def extent(self) -> tuple[float, float] | None: ...
    def style_of(self, colour: int, dim: bool = False) -> Style: ...
    def part_style(self, part: str) -> Style: ...


@dataclass(frozen=True)
class Frame:
    """Finished rows and the way back from a column to x."""

    rows: list[Strip]
    window: Window
    width: int

    def x_at(self, column: int) -> float | None:
        """The x under cell `column` of the widget, None left of the plot."""
        share = (column - _MARGIN + 0.5) / max(self.width, 1)
        if not 0 <= share <= 1:
            return None
        return self.window.x0 + share * (self.window.x1 - self.window.x0)


def build_frame(chart: Charted, width: int, height: int) -> Frame | None:
    """All rows below the legend; None when there is nothing to draw yet."""
    import numpy as np

    extent = chart.extent()
    if extent is None:
        return None
    plot_width = max(width - _MARGIN, 1)
    plot_height = max(height - _LEGEND - _AXIS, 1)
    x0, x1 = chart.view or extent
    if x1 <= x0:
        x0, x1 = x0 - 0.5, x0 + 0.5
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _log10 if chart.log_y else _same
    bounds = _y_bounds(chart, x0, x1, scale)
    if bounds is None:
        return None
    window = Window(x0, x1, *bounds)
    grid = GRIDS[chart.marker]
    cells = np.zeros((plot_height, plot_width), np.uint8)
    owner = np.full((plot_height, plot_width), -1, np.int16)
    styles: list[Style] = []
    for trace in chart.traces():
        # A line on top hides what lies behind it in the same cell, so colours never mix.
        first, last = np.searchsorted(trace.x, (x0, x1))
        part = slice(max(0, int(first) - 1), int(last) + 1)
        drawn = patterns(trace.x[part], scale(trace.y[part]), window, plot_width, plot_height, grid)
        cells = np.where(drawn > 0, drawn, cells)
        owner = np.where(drawn > 0, len(styles), owner)
        styles.append(chart.style_of(trace.colour, trace.dim))
    text = _text_grid(chart, cells, window, scale)
    rows = _plot_rows(chart, text, owner, styles, window)
    rows += _x_axis(chart, window, plot_width)
    return Frame(rows, window, plot_width)


def _same(y: NDArray[np.float64]) -> NDArray[np.float64]:
    return y


def _log10(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero and below have no place on a logarithmic axis: a gap."""
    import numpy as np

    return np.log10(np.where(y > 0, y, np.nan))


def _y_bounds(
    chart: Charted, x0: float, x1: float,
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[float, float] | None:  # fmt: skip
    """The finite range of what is visible, a little wider; infinite values do not stretch it."""
    import numpy as np

    seen = [scale(t.y[(t.x >= x0) & (t.x <= x1)]) for t in chart.traces()]
    if chart.limit is not None:
        seen.append(scale(np.array([chart.limit])))
    values = np.concatenate(seen)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if chart.limit is not None and not chart.log_y:
        low = min(low, 0.0)
    room = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return (low if chart.limit is not None else low - room), high + room


def _text_grid(
    chart: Charted, cells: NDArray[np.uint8], window: Window,
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.str_]:  # fmt: skip
    """Glyphs of the plot; guides, marks and the cursor show only where no line is."""
    import numpy as np

    height, width = cells.shape
    text = np.array(list(GRIDS[chart.marker].glyphs))[cells]
    free = cells == 0
    plain = chart.marker == "ascii"

    def column(x: float) -> int:
        share = (x - window.x0) / (window.x1 - window.x0)
        return int(round(share * (width - 1)))

    for mark in chart.marks:
        if window.x0 <= mark <= window.x1:
            at = column(mark)
            text[:, at] = np.where(free[:, at], ":" if plain else "┊", text[:, at])
    if chart.limit is not None:
        level = float(scale(np.array([chart.limit]))[0])
        row = round((window.y1 - level) / (window.y1 - window.y0) * (height - 1))
        if 0 <= row < height:
            text[row] = np.where(free[row], "-" if plain else "╌", text[row])
    if chart.cursor is not None and window.x0 <= chart.cursor <= window.x1:
        at = column(chart.cursor)
        text[:, at] = np.where(free[:, at], "|" if plain else "│", text[:, at])
    return text


def _plot_rows(
    chart: Charted, text: NDArray[np.str_], owner: NDArray[np.int16],
    styles: list[Style], window: Window,
) -> list[Strip]:  # fmt: skip
    import numpy as np

    height, width = owner.shape
    axis, guide = chart.part_style("axis"), chart.part_style("cursor")
    labels = _y_labels(chart, window, height)
    rows = []
    for r in range(height):
        name = labels.get(r)
        segments = [Segment(f"{name or '':>7}{_tick(chart, name is not None)}", axis)]
        line, own = text[r], owner[r]
        cuts = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), width]
        for a, b in zip(cuts, cuts[1:], strict=False):
            style = styles[own[a]] if own[a] >= 0 else guide
            segments.append(Segment("".join(line[a:b]), style))
        rows.append(Strip(segments, _MARGIN + width))
    return rows


def _tick(chart: Charted, on: bool) -> str:
    if chart.marker == "ascii":
        return "+" if on else "|"
    return "┤" if on else "│"


def _y_labels(chart: Charted, window: Window, height: int) -> dict[int, str]:
    count = max(3, height // 2) if height < 8 else height // 3
    if chart.log_y:
        ticks = log_ticks(10**window.y0, 10**window.y1, max(3, height // 2))
    else:
        ticks = linear_ticks(window.y0, window.y1, count)
    labels: dict[int, str] = {}
    for tick in ticks:
        level = _level(tick) if chart.log_y else tick
        row = round((window.y1 - level) / (window.y1 - window.y0) * (height - 1))
        if 0 <= row < height and row not in labels:
            labels[row] = label(tick)
    return labels


def _level(tick: float) -> float:
    import math

    return math.log10(tick)


def _x_axis(chart: Charted, window: Window, width: int) -> list[Strip]:
    style = chart.part_style("axis")
    plain = chart.marker == "ascii"
    rule = list(("-" if plain else "─") * width)
    names = [" "] * width
    free_from = 0
    unit = chart.unit if cell_len(chart.unit) < width // 3 else ""
    room = width - cell_len(unit) - 1 if unit else width
    for tick in linear_ticks(window.x0, window.x1, max(2, width // 9)):
        at = round((tick - window.x0) / (window.x1 - window.x0) * (width - 1))
        name = label(tick)
        start = max(at - len(name) // 2, 0)
        if start >= free_from and start + len(name) <= room:
            rule[at] = "+" if plain else "┬"
            names[start : start + len(name)] = name
            free_from = start + len(name) + 2
    if unit:
        names = names[: width - cell_len(unit)] + [unit]
    corner = "+" if plain else "└"
    return [
        Strip([Segment(" " * 7 + corner + "".join(rule), style)], _MARGIN + width),
        Strip([Segment(" " * 8 + "".join(names), style)]).adjust_cell_length(_MARGIN + width),
    ]


def legend_row(chart: Charted, frame: Frame, width: int) -> Strip:
    """Names and newest values, each in its line's colour."""
    segments = [Segment(" ", chart.rich_style)]
    for trace in _named(chart):
        value = _newest(trace.y)
        segments.append(Segment(f" {_bullet(chart)} ", chart.style_of(trace.colour)))
        segments.append(Segment(f"{trace.name} {value} ", chart.part_style("axis")))
    return Strip(segments).adjust_cell_length(width, chart.rich_style)


def cursor_row(chart: Charted, frame: Frame, width: int) -> Strip:
    """The values under the cursor."""
    import numpy as np

    x = chart.cursor or 0.0
    segments = [Segment(f"  {label(x)} ", chart.part_style("cursor"))]
    for trace in _named(chart):
        index = int(np.clip(np.searchsorted(trace.x, x), 0, len(trace.x) - 1))
        segments.append(Segment(f" {_bullet(chart)} ", chart.style_of(trace.colour)))
        segments.append(
            Segment(f"{trace.name} {_value(float(trace.y[index]))} ", chart.part_style("cursor"))
        )
    return Strip(segments).adjust_cell_length(width, chart.rich_style)


def _named(chart: Charted) -> list[Trace]:
    """In the order in which they are named: what does not fit is another run's."""
    return sorted((one for one in chart.traces() if not one.dim), key=lambda one: one.beneath)


def _bullet(chart: Charted) -> str:
    return "*" if chart.marker == "ascii" else "●"


def _newest(y: NDArray[np.float64]) -> str:
    import numpy as np

    finite = y[np.isfinite(y)]
    return _value(float(finite[-1])) if len(finite) else "–"


def _value(value: float) -> str:
    return label(value) if value == value else "–"
