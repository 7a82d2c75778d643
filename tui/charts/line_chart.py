"""The loss chart: braille lines over nice axes, zoom, cursor, smoothing, logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import clamp
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from sovdeck.engine.contract.series import Series
from sovdeck.tui.charts.frame import (
    COLOUR_COUNT,
    ChartFrame,
    Trace,
    build_frame,
    cursor_row,
    legend_row,
)
from sovdeck.tui.charts.raster import Marker
from sovdeck.tui.charts.smoothing import ema

SMOOTHING_MIN_POINTS = 20  # fewer points (held-out values) are shown as they are


@dataclass(frozen=True)
class Curve:
    """One line: its name, points, and which of the chart's colours it takes; see `Trace`."""

    name: str
    series: Series
    colour: int = 0
    other_run: bool = False


class LineChart(Widget):
    """Several curves over one x axis. Rendering is cached until data, size or view change."""

    DEFAULT_CSS = """
    LineChart { height: 1fr; width: 1fr; min-height: 4; }
    LineChart .line-chart--axis { color: $faint; }
    LineChart .line-chart--cursor { color: $warning; }
    LineChart .line-chart--1 { color: $chart-1; }
    LineChart .line-chart--2 { color: $chart-2; }
    LineChart .line-chart--3 { color: $chart-3; }
    LineChart .line-chart--4 { color: $chart-4; }
    LineChart .line-chart--dim1 { color: $chart-1-dim; }
    LineChart .line-chart--dim2 { color: $chart-2-dim; }
    LineChart .line-chart--dim3 { color: $chart-3-dim; }
    LineChart .line-chart--dim4 { color: $chart-4-dim; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-chart--axis",
        "line-chart--cursor",
        *(f"line-chart--{n}" for n in range(1, COLOUR_COUNT + 1)),
        *(f"line-chart--dim{n}" for n in range(1, COLOUR_COUNT + 1)),
    }

    log_y: reactive[bool] = reactive(False)
    smoothing: reactive[float] = reactive(0.0)
    marker: reactive[Marker] = reactive[Marker]("braille")
    # The zoomed x range; None follows all of the data.
    view: reactive[tuple[float, float] | None] = reactive[tuple[float, float] | None](None)
    # The x of the readout, snapped to a point; None when there is no cursor.
    cursor: reactive[float | None] = reactive[float | None](None)

    def __init__(
        self,
        *,
        unit: str = "",
        empty_text: str = "",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.unit = unit
        self.empty_text = empty_text
        self.curves: tuple[Curve, ...] = ()
        self.validations: tuple[float, ...] = ()
        self._traces: tuple[Trace, ...] | None = None
        self._frame: ChartFrame | None = None

    def show(
        self,
        curves: Sequence[Curve],
        *,
        validations: Sequence[float] = (),
    ) -> None:
        """Draw `curves`, with a vertical line at each x of `validations`."""
        new = (tuple(curves), tuple(validations))
        if new != (self.curves, self.validations) or self._buffers_changed(new[0]):
            self.curves, self.validations = new
            self._traces = self._frame = None
            self.refresh()

    def _buffers_changed(self, curves: tuple[Curve, ...]) -> bool:
        # Equal lengths may still be different buffers: a new attempt of as many points.
        pairs = zip(curves, self.curves, strict=False)
        return any(new.series.buffer is not old.series.buffer for new, old in pairs)

    def redraw(self) -> None:
        """Build the frame anew."""
        self._frame = None
        self.refresh()

    def watch_log_y(self) -> None:
        """Redraw with the other y scale."""
        self.redraw()

    def watch_marker(self) -> None:
        """Redraw with other glyphs."""
        self.redraw()

    def watch_view(self) -> None:
        """Redraw the zoomed range."""
        self.redraw()

    def watch_cursor(self) -> None:
        """Redraw the cursor and its readout."""
        self.redraw()

    def watch_smoothing(self) -> None:
        """Smooth the curves anew."""
        self._traces = None
        self.redraw()

    def notify_style_update(self) -> None:
        """Forget the frame: its colours have changed."""
        super().notify_style_update()
        self._frame = None

    def on_resize(self) -> None:
        """Forget the frame: its size has changed."""
        self._frame = None

    def traces(self) -> tuple[Trace, ...]:
        """The curves as arrays, raw first so that the smoothed line lies on top."""
        if self._traces is None:
            self._traces = tuple(self._build_traces())
        return self._traces

    def _build_traces(self) -> list[Trace]:
        import numpy as np

        behind: list[Trace] = []
        front: list[Trace] = []
        for curve in self.curves:
            if not len(curve.series):
                continue
            x = np.frombuffer(curve.series.xs(), dtype=np.float64)
            y = np.frombuffer(curve.series.ys(), dtype=np.float64)
            if self.smoothing > 0 and len(x) >= SMOOTHING_MIN_POINTS:
                behind.append(Trace(curve.name, x, y, curve.colour, True, curve.other_run))
                y = ema(y, self.smoothing)
            front.append(Trace(curve.name, x, y, curve.colour, False, curve.other_run))
        return behind + front

    def extent(self) -> tuple[float, float] | None:
        """The x range of all data."""
        spans = [(t.x[0], t.x[-1]) for t in self.traces()]
        if not spans:
            return None
        return float(min(a for a, _ in spans)), float(max(b for _, b in spans))

    def zoom(self, factor: float) -> None:
        """Narrow (< 1) or widen (> 1) the x range around the cursor or the newest point."""
        extent = self.extent()
        if extent is None:
            return
        x0, x1 = self.view or extent
        centre = self.cursor if self.cursor is not None else x1
        fraction = clamp((centre - x0) / max(x1 - x0, 1e-9), 0.0, 1.0)
        span = max((x1 - x0) * factor, min(4.0, extent[1] - extent[0]))
        if span >= extent[1] - extent[0]:
            self.view = None
            return
        start = clamp(centre - fraction * span, extent[0], extent[1] - span)
        self.view = (start, start + span)

    def move_cursor(self, by: int) -> None:
        """Move the cursor by `by` points of the longest curve; it starts at the newest."""
        import numpy as np

        traces = self.traces()
        if not traces:
            return
        x = max(traces, key=lambda trace: len(trace.x)).x
        if self.cursor is None:
            index = len(x) - 1
        else:
            index = int(np.clip(np.searchsorted(x, self.cursor) + by, 0, len(x) - 1))
        self.set_cursor(float(x[index]))

    def set_cursor(self, x: float | None) -> None:
        """Put the cursor at `x`, or remove it; a zoomed view follows."""
        self.cursor = x
        if x is not None and self.view is not None and not self.view[0] <= x <= self.view[1]:
            span = self.view[1] - self.view[0]
            self.view = (x - span / 2, x + span / 2)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse was clicked."""
        frame = self._current_frame()
        x = frame.x_at(event.x) if frame is not None else None
        if x is not None:
            self.set_cursor(x)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in."""
        event.stop()
        self.zoom(0.8)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out."""
        event.stop()
        self.zoom(1.25)

    def _current_frame(self) -> ChartFrame | None:
        width, height = self.size
        if self._frame is None and width > 12 and height > 3:
            self._frame = build_frame(self, width, height)
        return self._frame

    def trace_style(self, colour: int, dim: bool = False) -> Style:
        """The style of curve number `colour`, dimmed for a raw curve."""
        name = f"dim{colour % COLOUR_COUNT + 1}" if dim else str(colour % COLOUR_COUNT + 1)
        return self.get_component_rich_style(f"line-chart--{name}")

    def component_style(self, part: str) -> Style:
        """The style of a part of the chart: axis or cursor."""
        return self.get_component_rich_style(f"line-chart--{part}")

    def render_line(self, y: int) -> Strip:
        """One row of the widget, from the cached frame."""
        width, height = self.size
        frame = self._current_frame()
        if frame is None:
            return self._empty_line(y)
        if y == 0:
            row = legend_row if self.cursor is None else cursor_row
            return row(self, frame, width)
        return frame.rows[y - 1] if y <= len(frame.rows) else Strip.blank(width, self.rich_style)

    def _empty_line(self, y: int) -> Strip:
        width, height = self.size
        if y != height // 2 or not self.empty_text:
            return Strip.blank(width, self.rich_style)
        text = self.empty_text.center(width)[:width]
        return Strip([Segment(text, self.component_style("axis"))]).adjust_cell_length(width)
