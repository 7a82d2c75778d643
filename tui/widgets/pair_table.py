"""The grid of an audition: every pair of epochs with its penalty as a figure and a shade."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.geometry import clamp
from textual.message import Message
from textual.widgets import Static

from tui.actions import bindings
from tui.language import say
from tui.state.pair_grid import Pair, PairGrid, label

_CELL = 11
# Fuller is better; the figure beside it says the same without colour or shade.
_SHADES = (
    ("··", "$error"), ("░░", "$warning"), ("▒▒", "$foreground"), ("▓▓", "$secondary"),
    ("██", "$success"),
)  # fmt: skip


class PairTable(Static, can_focus=True):
    """SoVITS epochs down, GPT epochs across; `★` ranks first, `◆` is what the pack takes."""

    DEFAULT_CSS = """
    PairTable { width: 1fr; height: auto; }
    """
    BINDINGS = bindings("grid")

    class Moved(Message):
        """The cursor stands on another pair."""

        def __init__(self, table: PairTable, pair: Pair) -> None:
            super().__init__()
            self.table = table
            self.pair = pair

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.grid = PairGrid()
        self.best: Pair | None = None
        self.chosen: Pair | None = None
        self.pair: Pair | None = None
        self._first = (0, 0)

    def show(self, grid: PairGrid, best: Pair | None, chosen: Pair | None) -> None:
        """Draw anew; the cursor stays on its pair, or goes to the best one."""
        self.grid, self.best, self.chosen = grid, best, chosen
        if self.pair is None or grid.place(self.pair) is None:
            self.pair = best or grid.at(0, 0)
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def go(self, pair: Pair) -> None:
        if pair != self.pair and self.grid.place(pair) is not None:
            self.pair = pair
            self.redraw()
            self.post_message(self.Moved(self, pair))

    def action_move(self, across: int, down: int) -> None:
        place = self.grid.place(self.pair) if self.pair is not None else None
        if place is not None:
            column = clamp(place[0] + across, 0, len(self.grid.gpt) - 1)
            row = clamp(place[1] + down, 0, len(self.grid.sovits) - 1)
            pair = self.grid.at(column, row)
            assert pair is not None
            self.go(pair)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.x >= self._head_width and offset.y >= 1:
            column = self._first[0] + (offset.x - self._head_width) // _CELL
            pair = self.grid.at(column, self._first[1] + offset.y - 1)
            if pair is not None:
                self.go(pair)

    @property
    def _head_width(self) -> int:
        return max([len(label(name)) for name in self.grid.sovits] + [10]) + 2

    def redraw(self) -> None:
        grid = self.grid
        width = self.content_size.width or 80
        fits = max(1, (width - self._head_width) // _CELL)
        rows = len(grid.sovits) if self.size.height == 0 else max(1, self.max_rows)
        place = (grid.place(self.pair) if self.pair is not None else None) or (0, 0)
        self._first = (
            clamp(place[0] - fits + 1, 0, max(0, len(grid.gpt) - fits)),
            clamp(place[1] - rows + 1, 0, max(0, len(grid.sovits) - rows)),
        )
        gpt = grid.gpt[self._first[0] : self._first[0] + fits]
        corner = say(self, "tui.compare.axes")
        head = Content.styled(f" {corner}".ljust(self._head_width), "$faint")
        lines = [head + Content.styled("".join(f" {label(g):<{_CELL - 1}}" for g in gpt), "bold")]
        for name in grid.sovits[self._first[1] : self._first[1] + rows]:
            row = Content.styled(f" {label(name)}".ljust(self._head_width), "bold")
            lines.append(row + Content("").join(self._cell((g, name)) for g in gpt))
        self.update(Content("\n").join(lines))

    @property
    def max_rows(self) -> int:
        """How many pairs fit below each other; the first row is the axis."""
        limit = self.styles.max_height
        cells = None if limit is None or limit.cells is None else int(limit.cells)
        return len(self.grid.sovits) if cells is None else cells - self.gutter.height - 1

    def _cell(self, pair: Pair) -> Content:
        here = pair == self.pair
        level = self.grid.level(pair)
        mark = "▸" if here else " "
        if level is None:
            body = Content.styled(f"{mark}{'·':>5}".ljust(_CELL), "$faint")
        else:
            shade, colour = _SHADES[level]
            crown = ("★" if pair == self.best else "") + ("◆" if pair == self.chosen else "")
            body = Content.assemble(
                (mark, "bold $primary"), (shade, colour),
                (f" {self.grid.means[pair]:.2f}", "bold" if here else ""),
                (crown.ljust(_CELL - 8), "bold $warning"),
            )  # fmt: skip
        look = "on $primary 30%" if self.has_focus else "on $primary 15%"
        return body.stylize(look) if here else body
