"""The loss chart: braille lines over nice axes, zoom, cursor, smoothing, logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import clamp
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.state.raster import Marker
from tui.state.series import Series
from tui.widgets.chart_frame import COLOURS, Frame, Trace, build_frame, cursor_row, legend_row

if TYPE_CHECKING:
    pass


SMOOTHED_FROM = 20  # fewer points (held-out values) are shown as they are


@dataclass(frozen=True)
class Curve:
    """One line: its name, points, which of the chart's colours it takes; see `Trace`."""

    name: str
    series: Series
    colour: int = 0
    beneath: bool = False


class LineChart(Widget):
    """Several curves over one x axis. Rendering is cached until data, size or view change."""

    DEFAULT_CSS = """
    LineChart { height: 1fr; width: 1fr; min-height: 4; }
    LineChart .line-chart--axis { color: $faint; }
    LineChart .line-chart--cursor { color: $warning; }
    LineChart .line-chart--limit { color: $error; }
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
        "line-chart--axis", "line-chart--cursor", "line-chart--limit",
        *(f"line-chart--{n}" for n in range(1, COLOURS + 1)),
        *(f"line-chart--dim{n}" for n in range(1, COLOURS + 1)),
    }  # fmt: skip

    log_y: reactive[bool] = reactive(False)
    smoothing: reactive[float] = reactive(0.0)
    marker: reactive[Marker] = reactive[Marker]("braille")
    # The zoomed x range; None follows all of the data.
    view: reactive[tuple[float, float] | None] = reactive[tuple[float, float] | None](None)
    # The x of the readout, snapped to a point; None when there is no cursor.
    cursor: reactive[float | None] = reactive[float | None](None)

    class CursorMoved(Message):
        """The person pointed at x (None: cursor put away); linked charts may follow."""

        def __init__(self, chart: LineChart, x: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.x = x

        @property
        def control(self) -> LineChart:
            return self.chart

    def __init__(
        self, *, unit: str = "", empty: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.unit = unit
        self.empty = empty
        self.curves: tuple[Curve, ...] = ()
        self.marks: tuple[float, ...] = ()
        self.limit: float | None = None
        self._traces: tuple[Trace, ...] | None = None
        self._frame: Frame | None = None

    def show(
        self, curves: Sequence[Curve], *, marks: Sequence[float] = (), limit: float | None = None
    ) -> None:
        """Draw `curves`; `marks` are x positions of validations, `limit` a horizontal line."""
        new = (tuple(curves), tuple(marks), limit)
        if new != (self.curves, self.marks, self.limit) or self._stale(new[0]):
            self.curves, self.marks, self.limit = new
            self._traces = self._frame = None
            self.refresh()

    def _stale(self, curves: tuple[Curve, ...]) -> bool:
        # Equal lengths may still be different buffers: a new attempt of as many points.
        pairs = zip(curves, self.curves, strict=False)
        return any(new.series.buffer is not old.series.buffer for new, old in pairs)

    def redraw(self) -> None:
        self._frame = None
        self.refresh()

    def watch_log_y(self) -> None:
        self.redraw()

    def watch_marker(self) -> None:
        self.redraw()

    def watch_view(self) -> None:
        self.redraw()

    def watch_cursor(self) -> None:
        self.redraw()

    def watch_smoothing(self) -> None:
        self._traces = None
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._frame = None

    def on_resize(self) -> None:
        self._frame = None

    def traces(self) -> tuple[Trace, ...]:
        """The curves as arrays, raw first so that the smoothed line lies on top."""
        if self._traces is None:
            self._traces = tuple(self._made())
        return self._traces

    def _made(self) -> list[Trace]:
        import numpy as np

        from tui.state.smoothing import ema

        behind: list[Trace] = []
        front: list[Trace] = []
        for curve in self.curves:
            if not len(curve.series):
                continue
            x = np.frombuffer(curve.series.xs(), dtype=np.float64)
            y = np.frombuffer(curve.series.ys(), dtype=np.float64)
            if self.smoothing > 0 and len(x) >= SMOOTHED_FROM:
                behind.append(Trace(curve.name, x, y, curve.colour, True, curve.beneath))
                y = ema(y, self.smoothing)
            front.append(Trace(curve.name, x, y, curve.colour, False, curve.beneath))
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
        share = clamp((centre - x0) / max(x1 - x0, 1e-9), 0.0, 1.0)
        span = max((x1 - x0) * factor, min(4.0, extent[1] - extent[0]))
        if span >= extent[1] - extent[0]:
            self.view = None
            return
        start = clamp(centre - share * span, extent[0], extent[1] - span)
        self.view = (start, start + span)

    def pan(self, share: float) -> None:
        """Move a zoomed view by `share` of its width."""
        extent = self.extent()
        if extent is None or self.view is None:
            return
        span = self.view[1] - self.view[0]
        start = clamp(self.view[0] + share * span, extent[0], extent[1] - span)
        self.view = (start, start + span)

    def step_cursor(self, by: int) -> None:
        """Move the readout by `by` points of the longest curve; it starts at the newest."""
        import numpy as np

        traces = self.traces()
        if not traces:
            return
        x = max(traces, key=lambda trace: len(trace.x)).x
        if self.cursor is None:
            index = len(x) - 1
        else:
            index = int(np.clip(np.searchsorted(x, self.cursor) + by, 0, len(x) - 1))
        self.point_at(float(x[index]))

    def point_at(self, x: float | None) -> None:
        self.cursor = x
        if x is not None and self.view is not None and not self.view[0] <= x <= self.view[1]:
            span = self.view[1] - self.view[0]
            self.view = (x - span / 2, x + span / 2)
        self.post_message(self.CursorMoved(self, x))

    def on_click(self, event: events.Click) -> None:
        frame = self._current_frame()
        x = frame.x_at(event.x) if frame is not None else None
        if x is not None:
            self.point_at(x)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.zoom(0.8)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.zoom(1.25)

    def _current_frame(self) -> Frame | None:
        width, height = self.size
        if self._frame is None and width > 12 and height > 3:
            self._frame = build_frame(self, width, height)
        return self._frame

    def style_of(self, colour: int, dim: bool = False) -> Style:
        name = f"dim{colour % COLOURS + 1}" if dim else str(colour % COLOURS + 1)
        return self.get_component_rich_style(f"line-chart--{name}")

    def part_style(self, part: str) -> Style:
        return self.get_component_rich_style(f"line-chart--{part}")

    def render_line(self, y: int) -> Strip:
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
        if y != height // 2 or not self.empty:
            return Strip.blank(width, self.rich_style)
        text = self.empty.center(width)[:width]
        return Strip([Segment(text, self.part_style("axis"))]).adjust_cell_length(width)
