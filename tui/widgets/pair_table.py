"""The grid of an audition: every pair of epochs with its penalty as number and shade."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.geometry import clamp
from textual.message import Message

from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.pair_grid import PairGrid, WeightPair, weight_label
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.steady_text import SteadyText

_CELL_WIDTH = 11
# Fuller is better; the number beside it says the same without colour or shade.
_SHADES = (
    ("··", "$error"),
    ("░░", "$warning"),
    ("▒▒", "$foreground"),
    ("▓▓", "$secondary"),
    ("██", "$success"),
)


class PairTable(SteadyText, can_focus=True):
    """SoVITS epochs down, GPT epochs across; `★` is the best pair, `◆` the chosen one."""

    DEFAULT_CSS = """
    PairTable { width: 1fr; height: auto; }
    """
    BINDINGS = bindings("grid")

    class Moved(Message):
        """The cursor moved to another pair."""

        def __init__(self, table: PairTable, pair: WeightPair) -> None:
            super().__init__()
            self.table = table
            self.pair = pair

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.grid = PairGrid()
        self.best: WeightPair | None = None
        self.chosen: WeightPair | None = None
        self.pair: WeightPair | None = None
        self._first_visible = (0, 0)

    def show(self, grid: PairGrid, best: WeightPair | None, chosen: WeightPair | None) -> None:
        """Draw a grid; the cursor stays on its pair, or moves to the best one."""
        self.grid, self.best, self.chosen = grid, best, chosen
        if self.pair is None or grid.position_of(self.pair) is None:
            self.pair = best or grid.pair_at(0, 0)
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def move_to(self, pair: WeightPair) -> None:
        """Put the cursor on a pair of the grid."""
        if pair != self.pair and self.grid.position_of(pair) is not None:
            self.pair = pair
            self.redraw()
            self.post_message(self.Moved(self, pair))

    def action_move(self, across: int, down: int) -> None:
        position = self.grid.position_of(self.pair) if self.pair is not None else None
        if position is not None:
            column = clamp(position[0] + across, 0, len(self.grid.gpt) - 1)
            row = clamp(position[1] + down, 0, len(self.grid.sovits) - 1)
            pair = self.grid.pair_at(column, row)
            assert pair is not None
            self.move_to(pair)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.x >= self._head_width and offset.y >= 1:
            column = self._first_visible[0] + (offset.x - self._head_width) // self._cell_width
            pair = self.grid.pair_at(column, self._first_visible[1] + offset.y - 1)
            if pair is not None:
                self.move_to(pair)

    @property
    def _cell_width(self) -> int:
        return max([_CELL_WIDTH] + [len(weight_label(name)) + 2 for name in self.grid.gpt])

    @property
    def _head_width(self) -> int:
        return max([len(weight_label(name)) for name in self.grid.sovits] + [10]) + 2

    def redraw(self) -> None:
        """Draw the visible part of the grid."""
        grid = self.grid
        width = self.content_size.width or 80
        fits = max(1, (width - self._head_width) // self._cell_width)
        rows = len(grid.sovits) if self.size.height == 0 else max(1, self.max_rows)
        position = (grid.position_of(self.pair) if self.pair is not None else None) or (0, 0)
        self._first_visible = (
            clamp(position[0] - fits + 1, 0, max(0, len(grid.gpt) - fits)),
            clamp(position[1] - rows + 1, 0, max(0, len(grid.sovits) - rows)),
        )
        gpt = grid.gpt[self._first_visible[0] : self._first_visible[0] + fits]
        corner = translate(self, "tui.audition_screen.axes")
        head = Content.styled(f" {corner}".ljust(self._head_width), "$faint")
        lines = [
            head
            + Content.styled(
                "".join(f" {weight_label(g):<{self._cell_width - 1}}" for g in gpt), "bold"
            )
        ]
        for name in grid.sovits[self._first_visible[1] : self._first_visible[1] + rows]:
            row = Content.styled(f" {weight_label(name)}".ljust(self._head_width), "bold")
            lines.append(row + Content("").join(self._cell_content((g, name)) for g in gpt))
        self.update(Content("\n").join(lines))

    @property
    def max_rows(self) -> int:
        """How many rows of pairs fit; the first row is the axis."""
        limit = self.styles.max_height
        cells = None if limit is None or limit.cells is None else int(limit.cells)
        return len(self.grid.sovits) if cells is None else cells - self.gutter.height - 1

    def _cell_content(self, pair: WeightPair) -> Content:
        at_cursor = pair == self.pair
        level = self.grid.level(pair)
        mark = "▸" if at_cursor else " "
        if level is None:
            body = Content.styled(f"{mark}{'·':>5}".ljust(self._cell_width), "$faint")
        else:
            shade, colour = _SHADES[level]
            badges = ("★" if pair == self.best else "") + ("◆" if pair == self.chosen else "")
            body = Content.assemble(
                (mark, "bold $primary"),
                (shade, colour),
                (f" {self.grid.means[pair]:.2f}", "bold" if at_cursor else ""),
                (badges.ljust(self._cell_width - 8), "bold $warning"),
            )
        style = "on $primary 30%" if self.has_focus else "on $primary 15%"
        return body.stylize(style) if at_cursor else body
