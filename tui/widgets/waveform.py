"""A recording's outline in dots with a ruler: how long it is and which part is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.actions import bindings
from tui.state import outline
from tui.state.outline import LONGEST_S, SHORTEST_S, Edge, Window
from tui.state.raster import GRIDS, Marker

STEP_S = 0.1


class Waveform(Static):
    """Shows `peaks`; a TrimBar, its focusable form, also lets the window be moved."""

    DEFAULT_CSS = """
    Waveform { width: 1fr; height: 5; min-height: 3; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.peaks: Sequence[float] = ()
        self.seconds = 0.0
        self.window: Window | None = None
        self.marker: Marker = "braille"
        self.limits = True

    def show(
        self,
        peaks: Sequence[float],
        seconds: float,
        window: Window | None = None,
        marker: str = "braille",
        *,
        limits: bool = True,
    ) -> None:
        """`limits` marks 3 s and 10 s on the ruler."""
        self.peaks, self.seconds, self.window = peaks, seconds, window
        self.marker, self.limits = cast("Marker", marker), limits
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def redraw(self) -> None:
        width, height = self.content_size
        if width < 4 or height < 1 or not self.peaks:
            self.update("")
            return
        first, last = outline.span(self.window, self.seconds, width)
        rows = outline.wave(self.peaks, width, max(1, height - 2), GRIDS[self.marker])
        lines = [
            Content.assemble(
                (row[:first], "$faint"),
                (row[first : last + 1], "$primary"),
                (row[last + 1 :], "$faint"),
            )
            for row in rows
        ]
        lines += [self._rule(width, first, last), self._scale(width)]
        self.update(Content("\n").join(lines[:height]))

    def _rule(self, width: int, first: int, last: int) -> Content:
        """The kept part as a bar between two handles: it reads without colour too."""
        if self.window is None:
            return Content.styled("─" * width, "$faint")
        kept = "┣" + "━" * max(0, last - first - 1) + ("┫" if last > first else "")
        return Content.assemble(
            ("─" * first, "$faint"), (kept, "bold $warning"),
            ("─" * (width - first - len(kept)), "$faint"),
        )  # fmt: skip

    def _scale(self, width: int) -> Content:
        cells = [" "] * width
        marks = [(0.0, "0")]
        if self.limits:
            marks += [(at, f"╵{at:g} s") for at in (SHORTEST_S, LONGEST_S) if at < self.seconds]
        end = f"{self.seconds:.1f} s"
        room = width - len(end) - 1
        for at, words in marks:
            column = outline.column_of(at, self.seconds, width)
            if column + len(words) <= room:
                cells[column : column + len(words)] = words
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

        def __init__(self, bar: TrimBar, window: Window) -> None:
            super().__init__()
            self.bar = bar
            self.window = window

    def action_trim(self, edge: Edge, steps: int) -> None:
        if self.window is not None:
            self._take(outline.moved(self.window, edge, steps * STEP_S, self.seconds))

    def on_click(self, event: events.Click) -> None:
        """The nearer edge comes to where was clicked."""
        width = self.content_size.width
        if self.window is None or width < 4:
            return
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = (offset.x + 0.5) / width * self.seconds
        start, end = self.window
        if abs(at - start) <= abs(at - end):
            self._take(outline.moved(self.window, "start", at - start, self.seconds))
        else:
            self._take(outline.moved(self.window, "end", at - end, self.seconds))

    def _take(self, window: Window) -> None:
        if window != self.window:
            self.window = window
            self.redraw()
            self.post_message(self.Trimmed(self, window))
