"""A virtual list of clips with a cursor: draws only what is on screen, however long the list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.figures import NONE
from tui.state.clips import ClipRow
from tui.widgets.states import LEVEL_LOOK

_NAME_FROM = 60  # cells; below, the text is worth more than the file's name
_NAME_CELLS = 18


class ClipList(ScrollView, can_focus=True):
    """`show` keeps the cursor on its line of the file, wherever that line is sorted to."""

    DEFAULT_CSS = """
    ClipList { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    ClipList .clip-list--row { color: $foreground; }
    ClipList .clip-list--faint { color: $faint; }
    ClipList .clip-list--good { color: $success; }
    ClipList .clip-list--note { color: $secondary; }
    ClipList .clip-list--warning { color: $warning; text-style: bold; }
    ClipList .clip-list--bad { color: $error; text-style: bold; }
    ClipList .clip-list--cursor { background: $primary 18%; }
    ClipList:focus .clip-list--cursor { background: $primary 30%; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "clip-list--row", "clip-list--faint", "clip-list--cursor", "clip-list--good",
        "clip-list--note", "clip-list--warning", "clip-list--bad",
    }  # fmt: skip
    BINDINGS = bindings("clips")

    class Moved(Message):
        """The cursor stands on another row."""

    class Opened(Message):
        """The row under the cursor was clicked a second time."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[ClipRow] = ()
        self.heard: Collection[int] = ()
        self.playing: ClipRow | None = None
        self.at = 0
        self._digits = 1

    @property
    def row(self) -> ClipRow | None:
        """The row under the cursor."""
        return self.rows[self.at] if self.at < len(self.rows) else None

    def show(
        self, rows: Sequence[ClipRow], heard: Collection[int], playing: ClipRow | None
    ) -> None:
        """`heard` are the lines already listened to; `playing` the row that sounds now."""
        line = self.row.line if self.row is not None else None
        self.heard, self.playing = heard, playing
        if rows is not self.rows:
            self.rows = rows
            self._digits = len(str(max((row.line for row in rows), default=0)))
            self.virtual_size = Size(self.size.width, len(rows))
            found = next((i for i, row in enumerate(rows) if row.line == line), 0)
            self.go_to(found)
        self.refresh()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows))

    def go_to(self, index: int) -> None:
        """Put the cursor on a row and bring it into view."""
        self.at = min(max(0, index), max(0, len(self.rows) - 1))
        spot = Region(0, self.at, max(1, self.size.width), 1)
        self.scroll_to_region(spot, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Moved())

    def action_cursor(self, by: int) -> None:
        self.go_to(self.at + by)

    def action_page(self, by: int) -> None:
        self.go_to(self.at + by * max(1, self.size.height - 1))

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - self.gutter.top
        if event.chain > 1 and index == self.at:
            self.post_message(self.Opened())
        elif index < len(self.rows):
            self.go_to(index)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        here = self._look("cursor") if index == self.at else self.rich_style
        segments = [
            Segment(text, here + style) for text, style in self._cells(self.rows[index], width)
        ]
        return Strip(segments).adjust_cell_length(width, here)

    def _cells(self, row: ClipRow, width: int) -> list[tuple[str, Style]]:
        # A clip without fault has no mark, so that ✓ means one thing: gone through.
        mark = " " if row.level == "good" else LEVEL_LOOK[row.level][0]
        plain, faint = self._look("row"), self._look("faint")
        heard = "♪" if row is self.playing else "✓" if row.line in self.heard else " "
        seconds = NONE if row.seconds is None else f"{row.seconds:.1f}"
        cells = [
            (f"{mark} ", self._look(row.level)), (f"{heard} ", self._look("good")),
            (f"{row.line:>{self._digits}} ", faint),
        ]  # fmt: skip
        if width >= _NAME_FROM:
            cells.append((set_cell_size(row.name, _NAME_CELLS) + " ", plain))
        cells.append((f"{seconds:>5} {row.language:<3} ", faint))
        left = width - sum(cell_len(text) for text, _ in cells)
        cells.append((set_cell_size(row.text or row.source, max(0, left)), plain))
        return cells

    def _look(self, name: str) -> Style:
        # Partial: the background of the row under it must show through.
        return self.get_component_rich_style(f"clip-list--{name}", partial=name != "cursor")
