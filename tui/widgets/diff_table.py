"""A table that is refilled often: only the cells that differ are updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.content import Content
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey, RowKey

from sovdeck.tui.widgets.steady_text import is_same_text

_CELL_PADDING = 2  # a blank on either side of a cell
_LEAST_CELLS = 12  # of a column that is shortened
TableCell = Content | str
TableRow = tuple[str, Mapping[str, TableCell]]


class DiffTable(DataTable[Content | Text]):
    """Rows have keys; the cursor stays on its row when rows around it come and go."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row")
        self._titles: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, from the top."""
        return [str(row.key.value) for row in self.ordered_rows]

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return str(self.ordered_rows[self.cursor_row].key.value)

    async def _on_click(self, event: events.Click) -> None:
        # What was under the mouse when it was painted may be gone; Textual would look it up.
        meta = event.style.meta
        if meta.get("column", 0) >= len(self.columns) or meta.get("row", 0) >= len(self.rows):
            event.prevent_default()

    def fill(
        self, columns: Mapping[str, str], rows: Sequence[TableRow], chosen: str | None = None
    ) -> None:
        """Show `rows` under `columns` (key to title); the cursor moves to row `chosen` if given."""
        titles = (*columns, *columns.values())
        if titles != self._titles or self.keys != [key for key, _ in rows]:
            cursor_key = chosen or self.cursor_key
            self._titles = titles
            self.clear(columns=True)
            for key, title in columns.items():
                self.add_column(_letters(title), key=key, width=_column_width(title, key, rows))
            for key, cells in rows:
                self.add_row(*(_drawable(cells[column]) for column in columns), key=key)
            if cursor_key in {key for key, _ in rows}:
                self.move_cursor(row=self.get_row_index(str(cursor_key)))
            return
        resized = False
        for column in self.ordered_columns:
            name = str(column.key.value)
            width = _column_width(columns[name], name, rows)
            if column.width != width:
                column.width = width
                resized = self._require_update_dimensions = True
        changed = {
            (key, name): cells[name]
            for key, cells in rows
            for name in columns
            if not is_same_text(self.get_cell(key, name), cells[name])
        }
        self._replace_cells(changed)
        if resized:
            self._clear_caches()
            self.refresh()

    def _replace_cells(self, changed: Mapping[tuple[str, str], TableCell]) -> None:
        """Put values into cells, by row and column, and paint their rows.

        Textual's own `update_cell` would draw every cell of the table anew.
        """
        if not changed:
            return
        for (key, name), value in changed.items():
            self._data[RowKey(key)][ColumnKey(name)] = _drawable(value)
        for cached in list(self._cell_render_cache.keys()):
            if (cached[0].value, cached[1].value) in changed:
                self._cell_render_cache.discard(cached)
        for cache in (self._row_renderable_cache, self._row_render_cache, self._line_cache):
            cache.clear()
        for key in {key for key, _ in changed}:
            self.refresh_row(self.get_row_index(key))


def _drawable(cell: TableCell) -> Content | Text:
    return _letters(cell) if isinstance(cell, str) else cell


def _letters(text: str) -> Text:
    # Textual would read a str as markup; a Content would be wrapped, not cut off.
    return Text(text, no_wrap=True, end="")


def columns_that_fit(
    columns: Mapping[str, str], rows: Sequence[TableRow], width: int, optional: Sequence[str]
) -> dict[str, str]:
    """`columns` without as many of `optional`, in this order, as must go to fit `width` cells."""
    kept = dict(columns)
    for name in optional:
        if (
            sum(_column_width(title, key, rows) + _CELL_PADDING for key, title in kept.items())
            <= width
        ):
            break
        kept.pop(name, None)
    return kept


def shorten_to_fit(
    columns: Mapping[str, str], rows: Sequence[TableRow], width: int, name: str
) -> list[TableRow]:
    """`rows` whose cells of column `name` lose as much of their beginning as exceeds `width`."""
    excess = -width
    for key, title in columns.items():
        excess += _column_width(title, key, rows) + _CELL_PADDING
    if excess <= 0:
        return list(rows)
    limit = max(_LEAST_CELLS, _column_width(columns[name], name, rows) - excess)
    return [(key, {**cells, name: _keep_end(str(cells[name]), limit)}) for key, cells in rows]


def _keep_end(text: str, limit: int) -> str:
    if cell_len(text) <= limit:
        return text
    while cell_len(text) >= limit:
        text = text[1:]
    return f"…{text}"


def _column_width(title: str, column: str, rows: Sequence[TableRow]) -> int:
    return max([cell_len(title), *(_cell_width(cells[column]) for _, cells in rows)])


def _cell_width(cell: TableCell) -> int:
    # Rich cannot measure a Content, so the table cannot size its columns itself.
    return cell.cell_length if isinstance(cell, Content) else cell_len(cell)
