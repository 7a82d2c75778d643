"""A virtual list of clips with a cursor: draws only the visible rows."""

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

from sovdeck.engine.contract.format import UNKNOWN
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.clip_rows import ClipRow
from sovdeck.tui.text.param_values import language_text
from sovdeck.tui.widgets.status_labels import LEVEL_STYLES

_NAME_MIN_WIDTH = 60  # cells; narrower lists leave the file name out
_NAME_CELLS = 18
_GLOSS_CELLS = 8  # the column is there where any row has letters without a sound


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
        "clip-list--row",
        "clip-list--faint",
        "clip-list--cursor",
        "clip-list--good",
        "clip-list--note",
        "clip-list--warning",
        "clip-list--bad",
    }
    BINDINGS = bindings("clips")

    class Moved(Message):
        """The cursor moved to another row."""

    class Opened(Message):
        """The row under the cursor was clicked a second time."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.select_rows: Sequence[ClipRow] = ()
        self.listened_lines: Collection[int] = ()
        self.playing: ClipRow | None = None
        self.cursor_index = 0
        self._digits = 1
        self._has_gloss = False

    @property
    def row(self) -> ClipRow | None:
        """The row under the cursor."""
        return (
            self.select_rows[self.cursor_index]
            if self.cursor_index < len(self.select_rows)
            else None
        )

    def show(
        self, rows: Sequence[ClipRow], listened_lines: Collection[int], playing: ClipRow | None
    ) -> None:
        """Show rows; `listened_lines` are those gone through, `playing` is the row that plays."""
        line = self.row.line if self.row is not None else None
        self.listened_lines, self.playing = listened_lines, playing
        if rows is not self.select_rows:
            self.select_rows = rows
            self._digits = len(str(max((row.line for row in rows), default=0)))
            self._has_gloss = any(row.gloss for row in rows)
            self.virtual_size = Size(self.size.width, len(rows))
            found = next((i for i, row in enumerate(rows) if row.line == line), 0)
            self.move_cursor_to(found)
        self.refresh()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.select_rows))

    def move_cursor_to(self, index: int) -> None:
        """Put the cursor on a row and scroll it into view."""
        self.cursor_index = min(max(0, index), max(0, len(self.select_rows) - 1))
        region = Region(0, self.cursor_index, max(1, self.size.width), 1)
        self.scroll_to_region(region, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Moved())

    def action_cursor(self, by: int) -> None:
        self.move_cursor_to(self.cursor_index + by)

    def action_page(self, by: int) -> None:
        self.move_cursor_to(self.cursor_index + by * max(1, self.size.height - 1))

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - self.gutter.top
        if event.chain > 1 and index == self.cursor_index:
            self.post_message(self.Opened())
        elif index < len(self.select_rows):
            self.move_cursor_to(index)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self.select_rows):
            return Strip.blank(width, self.rich_style)
        row_style = (
            self._component_style("cursor") if index == self.cursor_index else self.rich_style
        )
        segments = [
            Segment(text, row_style + style)
            for text, style in self._cells(self.select_rows[index], width)
        ]
        return Strip(segments).adjust_cell_length(width, row_style)

    def _cells(self, row: ClipRow, width: int) -> list[tuple[str, Style]]:
        # A good clip has no level mark, so that ✓ always means "listened to".
        mark = " " if row.level == "good" else LEVEL_STYLES[row.level][0]
        plain, faint = self._component_style("row"), self._component_style("faint")
        heard = "♪" if row is self.playing else "✓" if row.line in self.listened_lines else " "
        seconds = UNKNOWN if row.seconds is None else f"{row.seconds:.1f}"
        cells = [
            (f"{mark} ", self._component_style(row.level)),
            (f"{heard} ", self._component_style("good")),
            (f"{row.line:>{self._digits}} ", faint),
        ]
        if width >= _NAME_MIN_WIDTH:
            cells.append((set_cell_size(row.name, _NAME_CELLS) + " ", plain))
        language = language_text(self, row.language)
        padded = set_cell_size(language, max(3, cell_len(language)))
        cells.append((f"{seconds:>5} {padded} ", faint))
        if self._has_gloss:
            gloss = set_cell_size(row.gloss, _GLOSS_CELLS)
            cells.append((f"{gloss} ", self._component_style("warning")))
        left = width - sum(cell_len(text) for text, _ in cells)
        cells.append((set_cell_size(row.text or row.source, max(0, left)), plain))
        return cells

    def _component_style(self, name: str) -> Style:
        # Partial, so that the background of the cursor row shows through.
        return self.get_component_rich_style(f"clip-list--{name}", partial=name != "cursor")
