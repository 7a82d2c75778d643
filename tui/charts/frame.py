"""Builds the rows of a line chart: y axis, plot, x axis, legend. No state of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sovdeck.tui.charts.raster import GRIDS, Marker, PlotWindow, rasterize_polyline
from sovdeck.tui.charts.ticks import format_tick, linear_ticks, log_ticks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLOUR_COUNT = 4
_Y_AXIS_WIDTH = 8  # seven cells of label and the axis itself
_LEGEND_HEIGHT = 1
_X_AXIS_HEIGHT = 2


@dataclass(frozen=True)
class Trace:
    """A curve as it is drawn: x and y (N,).

    `dim`: the raw curve behind the smoothed one. `other_run`: of a run that is compared with, drawn
    below and named after the run on show.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: int
    dim: bool = False
    other_run: bool = False


class ChartSource(Protocol):
    """What a frame is built from; `LineChart` is one."""

    @property
    def log_y(self) -> bool:
        """Whether the y axis is logarithmic."""

    @property
    def marker(self) -> Marker:
        """The glyphs that lines are drawn with."""

    @property
    def view(self) -> tuple[float, float] | None:
        """The zoomed x range; None shows all data."""

    @property
    def cursor(self) -> float | None:
        """The x of the readout; None when there is none."""

    @property
    def unit(self) -> str:
        """The unit of the x axis."""

    @property
    def validations(self) -> tuple[float, ...]:
        """The x of every validation."""

    @property
    def rich_style(self) -> Style:
        """The style of the widget."""

    def traces(self) -> tuple[Trace, ...]:
        """The curves to draw, the last on top."""

    def extent(self) -> tuple[float, float] | None:
        """The x range of all data; None without any."""

    def trace_style(self, colour: int, dim: bool = False) -> Style:
        """The style of the curve with that colour number."""

    def component_style(self, part: str) -> Style:
        """The style of a part of the chart: axis or cursor."""


@dataclass(frozen=True)
class ChartFrame:
    """The finished rows below the legend, and the mapping from columns to x."""

    rows: list[Strip]
    window: PlotWindow
    width: int

    def x_at(self, column: int) -> float | None:
        """The x under cell `column` of the widget, None left of the plot."""
        fraction = (column - _Y_AXIS_WIDTH + 0.5) / max(self.width, 1)
        if not 0 <= fraction <= 1:
            return None
        return self.window.x0 + fraction * (self.window.x1 - self.window.x0)


def build_frame(chart: ChartSource, width: int, height: int) -> ChartFrame | None:
    """All rows below the legend; None when there is nothing to draw yet."""
    import numpy as np

    extent = chart.extent()
    if extent is None:
        return None
    plot_width = max(width - _Y_AXIS_WIDTH, 1)
    plot_height = max(height - _LEGEND_HEIGHT - _X_AXIS_HEIGHT, 1)
    x0, x1 = chart.view or extent
    if x1 <= x0:
        x0, x1 = x0 - 0.5, x0 + 0.5
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _log10 if chart.log_y else _linear
    bounds = _y_bounds(chart, x0, x1, scale)
    if bounds is None:
        return None
    window = PlotWindow(x0, x1, *bounds)
    grid = GRIDS[chart.marker]
    cells = np.zeros((plot_height, plot_width), np.uint8)
    owner = np.full((plot_height, plot_width), -1, np.int16)
    styles: list[Style] = []
    for trace in chart.traces():
        # A line on top hides what lies behind it in the same cell, so colours never mix.
        first, last = np.searchsorted(trace.x, (x0, x1))
        part = slice(max(0, int(first) - 1), int(last) + 1)
        drawn = rasterize_polyline(
            trace.x[part], scale(trace.y[part]), window, plot_width, plot_height, grid
        )
        cells = np.where(drawn > 0, drawn, cells)
        owner = np.where(drawn > 0, len(styles), owner)
        styles.append(chart.trace_style(trace.colour, trace.dim))
    text = _glyph_grid(chart, cells, window)
    rows = _plot_rows(chart, text, owner, styles, window)
    rows += _x_axis_rows(chart, window, plot_width)
    return ChartFrame(rows, window, plot_width)


def _linear(y: NDArray[np.float64]) -> NDArray[np.float64]:
    return y


def _log10(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm; zero and below have no place on a logarithmic axis and become a gap."""
    import numpy as np

    return np.log10(np.where(y > 0, y, np.nan))


def _y_bounds(
    chart: ChartSource,
    x0: float,
    x1: float,
    scale: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[float, float] | None:
    """The finite range of what is visible, a little wider; infinite values do not stretch it."""
    import numpy as np

    visible = [scale(t.y[(t.x >= x0) & (t.x <= x1)]) for t in chart.traces()]
    values = np.concatenate(visible)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    padding = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return low - padding, high + padding


def _glyph_grid(
    chart: ChartSource,
    cells: NDArray[np.uint8],
    window: PlotWindow,
) -> NDArray[np.str_]:
    """Glyphs of the plot; validations and the cursor show only where no line is."""
    import numpy as np

    height, width = cells.shape
    text = np.array(list(GRIDS[chart.marker].glyphs))[cells]
    free = cells == 0
    ascii_only = chart.marker == "ascii"

    def column(x: float) -> int:
        fraction = (x - window.x0) / (window.x1 - window.x0)
        return int(round(fraction * (width - 1)))

    for validation in chart.validations:
        if window.x0 <= validation <= window.x1:
            at = column(validation)
            text[:, at] = np.where(free[:, at], ":" if ascii_only else "┊", text[:, at])
    if chart.cursor is not None and window.x0 <= chart.cursor <= window.x1:
        at = column(chart.cursor)
        text[:, at] = np.where(free[:, at], "|" if ascii_only else "│", text[:, at])
    return text


def _plot_rows(
    chart: ChartSource,
    text: NDArray[np.str_],
    owner: NDArray[np.int16],
    styles: list[Style],
    window: PlotWindow,
) -> list[Strip]:
    import numpy as np

    height, width = owner.shape
    axis, guide = chart.component_style("axis"), chart.component_style("cursor")
    labels = _y_labels(chart, window, height)
    rows = []
    for r in range(height):
        name = labels.get(r)
        segments = [Segment(f"{name or '':>7}{_axis_glyph(chart, name is not None)}", axis)]
        line, own = text[r], owner[r]
        cuts = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), width]
        for a, b in zip(cuts, cuts[1:], strict=False):
            style = styles[own[a]] if own[a] >= 0 else guide
            segments.append(Segment("".join(line[a:b]), style))
        rows.append(Strip(segments, _Y_AXIS_WIDTH + width))
    return rows


def _axis_glyph(chart: ChartSource, has_label: bool) -> str:
    if chart.marker == "ascii":
        return "+" if has_label else "|"
    return "┤" if has_label else "│"


def _y_labels(chart: ChartSource, window: PlotWindow, height: int) -> dict[int, str]:
    count = max(3, height // 2) if height < 8 else height // 3
    if chart.log_y:
        ticks = log_ticks(10**window.y0, 10**window.y1, max(3, height // 2))
    else:
        ticks = linear_ticks(window.y0, window.y1, count)
    labels: dict[int, str] = {}
    for tick in ticks:
        level = math.log10(tick) if chart.log_y else tick
        row = round((window.y1 - level) / (window.y1 - window.y0) * (height - 1))
        if 0 <= row < height and row not in labels:
            labels[row] = format_tick(tick)
    return labels


def _x_axis_rows(chart: ChartSource, window: PlotWindow, width: int) -> list[Strip]:
    style = chart.component_style("axis")
    ascii_only = chart.marker == "ascii"
    rule = list(("-" if ascii_only else "─") * width)
    names = [" "] * width
    free_from = 0
    unit = chart.unit if cell_len(chart.unit) < width // 3 else ""
    label_width = width - cell_len(unit) - 1 if unit else width
    for tick in linear_ticks(window.x0, window.x1, max(2, width // 9)):
        at = round((tick - window.x0) / (window.x1 - window.x0) * (width - 1))
        name = format_tick(tick)
        start = max(at - len(name) // 2, 0)
        if start >= free_from and start + len(name) <= label_width:
            rule[at] = "+" if ascii_only else "┬"
            names[start : start + len(name)] = name
            free_from = start + len(name) + 2
    if unit:
        names = names[: width - cell_len(unit)] + [unit]
    corner = "+" if ascii_only else "└"
    return [
        Strip([Segment(" " * 7 + corner + "".join(rule), style)], _Y_AXIS_WIDTH + width),
        Strip([Segment(" " * 8 + "".join(names), style)]).adjust_cell_length(_Y_AXIS_WIDTH + width),
    ]


def legend_row(chart: ChartSource, frame: ChartFrame, width: int) -> Strip:
    """Names and newest values, each in its line's colour."""
    segments = [Segment(" ", chart.rich_style)]
    for trace in _legend_traces(chart):
        value = _newest_value(trace.y)
        segments.append(Segment(f" {_bullet(chart)} ", chart.trace_style(trace.colour)))
        segments.append(Segment(f"{trace.name} {value} ", chart.component_style("axis")))
    return Strip(segments).adjust_cell_length(width, chart.rich_style)


def cursor_row(chart: ChartSource, frame: ChartFrame, width: int) -> Strip:
    """The values under the cursor."""
    import numpy as np

    x = chart.cursor or 0.0
    segments = [Segment(f"  {format_tick(x)} ", chart.component_style("cursor"))]
    for trace in _legend_traces(chart):
        index = int(np.clip(np.searchsorted(trace.x, x), 0, len(trace.x) - 1))
        segments.append(Segment(f" {_bullet(chart)} ", chart.trace_style(trace.colour)))
        segments.append(
            Segment(
                f"{trace.name} {_format_value(float(trace.y[index]))} ",
                chart.component_style("cursor"),
            )
        )
    return Strip(segments).adjust_cell_length(width, chart.rich_style)


def _legend_traces(chart: ChartSource) -> list[Trace]:
    """In the order in which they are named: what does not fit is another run's."""
    return sorted((one for one in chart.traces() if not one.dim), key=lambda one: one.other_run)


def _bullet(chart: ChartSource) -> str:
    return "*" if chart.marker == "ascii" else "●"


def _newest_value(y: NDArray[np.float64]) -> str:
    import numpy as np

    finite = y[np.isfinite(y)]
    return _format_value(float(finite[-1])) if len(finite) else "–"


def _format_value(value: float) -> str:
    return format_tick(value) if value == value else "–"
