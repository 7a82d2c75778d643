"""A recording's waveform in dots with a ruler, and the window that is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from textual import events
from textual.content import Content
from textual.message import Message

from sovdeck.engine.contract.reference_segment import MAX_REFERENCE_S, MIN_REFERENCE_S
from sovdeck.tui.charts import waveform_columns
from sovdeck.tui.charts.raster import GRIDS, Marker
from sovdeck.tui.charts.waveform_columns import TrimWindow, WindowEdge
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.widgets.steady_text import SteadyText

STEP_S = 0.1


class Waveform(SteadyText):
    """Shows `peaks`; TrimBar, its focusable form, also moves the window."""

    DEFAULT_CSS = """
    Waveform { width: 1fr; height: 5; min-height: 3; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.peaks: Sequence[float] = ()
        self.seconds = 0.0
        self.window: TrimWindow | None = None
        self.marker: Marker = "braille"
        self.limits = True

    def show(
        self,
        peaks: Sequence[float],
        seconds: float,
        window: TrimWindow | None = None,
        marker: str = "braille",
        *,
        limits: bool = True,
    ) -> None:
        """Show a recording; `limits` marks 3 s and 10 s on the ruler."""
        self.peaks, self.seconds, self.window = peaks, seconds, window
        self.marker, self.limits = cast("Marker", marker), limits
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw the waveform at the widget's size."""
        width, height = self.content_size
        if width < 4 or height < 1 or not self.peaks:
            self.update("")
            return
        first, last = waveform_columns.window_columns(self.window, self.seconds, width)
        rows = waveform_columns.waveform_rows(
            self.peaks, width, max(1, height - 2), GRIDS[self.marker]
        )
        lines = [
            Content.assemble(
                (row[:first], "$faint"),
                (row[first : last + 1], "$primary"),
                (row[last + 1 :], "$faint"),
            )
            for row in rows
        ]
        lines += [self._window_line(width, first, last), self._ruler_line(width)]
        self.update(Content("\n").join(lines[:height]))

    def _window_line(self, width: int, first: int, last: int) -> Content:
        """The window as a bar between two handles: readable without colour too."""
        if self.window is None:
            return Content.styled("─" * width, "$faint")
        kept = "┣" + "━" * max(0, last - first - 1) + ("┫" if last > first else "")
        return Content.assemble(
            ("─" * first, "$faint"),
            (kept, "bold $warning"),
            ("─" * (width - first - len(kept)), "$faint"),
        )

    def _ruler_line(self, width: int) -> Content:
        cells = [" "] * width
        marks = [(0.0, "0")]
        if self.limits:
            marks += [
                (at, f"╵{at:g} s") for at in (MIN_REFERENCE_S, MAX_REFERENCE_S) if at < self.seconds
            ]
        end = f"{self.seconds:.1f} s"
        limit = width - len(end) - 1
        for at, label in marks:
            column = waveform_columns.column_at(at, self.seconds, width)
            if column + len(label) <= limit:
                cells[column : column + len(label)] = label
        cells[width - len(end) :] = end
        return Content.styled("".join(cells), "$faint")


class TrimBar(Waveform, can_focus=True):
    """Arrows move the start, shifted the end, brackets the whole window; clicks set an edge."""

    DEFAULT_CSS = """
    TrimBar:focus { background: $primary 8%; }
    """
    BINDINGS = bindings("trim")

    class Trimmed(Message):
        """The person moved the window."""

        def __init__(self, bar: TrimBar, window: TrimWindow) -> None:
            super().__init__()
            self.bar = bar
            self.window = window

    def action_trim(self, edge: WindowEdge, steps: int) -> None:
        if self.window is not None:
            self._set_window(
                waveform_columns.move_window(self.window, edge, steps * STEP_S, self.seconds)
            )

    def on_click(self, event: events.Click) -> None:
        """Move the nearer edge to the clicked position."""
        width = self.content_size.width
        if self.window is None or width < 4:
            return
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = (offset.x + 0.5) / width * self.seconds
        start, end = self.window
        if abs(at - start) <= abs(at - end):
            self._set_window(
                waveform_columns.move_window(self.window, "start", at - start, self.seconds)
            )
        else:
            self._set_window(
                waveform_columns.move_window(self.window, "end", at - end, self.seconds)
            )

    def _set_window(self, window: TrimWindow) -> None:
        if window != self.window:
            self.window = window
            self.redraw()
            self.post_message(self.Trimmed(self, window))
