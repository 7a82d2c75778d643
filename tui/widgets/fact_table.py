"""A table of remote facts that is redrawn often: only cells that differ are touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import DataTable

_PADDING = 2  # a blank on either side of a cell
Cell = Content | str
Row = tuple[str, Mapping[str, Cell]]


class FactTable(DataTable[Cell]):
    """Rows have keys; the cursor stays on its row whatever comes and goes around it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row")
        self._titles: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, from the top."""
        return [str(row.key.value) for row in self.ordered_rows]

    @property
    def chosen_key(self) -> str | None:
        """The key of the row under the cursor."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return str(self.ordered_rows[self.cursor_row].key.value)

    def fill(
        self, columns: Mapping[str, str], rows: Sequence[Row], chosen: str | None = None
    ) -> None:
        """Show `rows` under `columns` (key to title); the cursor goes to row `chosen` if given."""
        titles = (*columns, *columns.values())
        if titles != self._titles or self.keys != [key for key, _ in rows]:
            here = chosen or self.chosen_key
            self._titles = titles
            self.clear(columns=True)
            for key, title in columns.items():
                self.add_column(title, key=key, width=_width(title, key, rows))
            for key, cells in rows:
                self.add_row(*(cells[column] for column in columns), key=key)
            if here in {key for key, _ in rows}:
                self.move_cursor(row=self.get_row_index(str(here)))
            return
        for column in self.ordered_columns:
            name = str(column.key.value)
            width = _width(columns[name], name, rows)
            if column.width != width:
                column.width = width
                self._require_update_dimensions = True
        for key, cells in rows:
            for name in columns:
                if self.get_cell(key, name) != cells[name]:
                    self.update_cell(key, name, cells[name])


def fitting(
    columns: Mapping[str, str], rows: Sequence[Row], room: int, spare: Sequence[str]
) -> dict[str, str]:
    """`columns` without as many of `spare`, in this order, as must go to fit `room` cells."""
    kept = dict(columns)
    for name in spare:
        if sum(_width(title, key, rows) + _PADDING for key, title in kept.items()) <= room:
            break
        kept.pop(name, None)
    return kept


def _width(title: str, column: str, rows: Sequence[Row]) -> int:
    return max([cell_len(title), *(_cells(cells[column]) for _, cells in rows)])


def _cells(cell: Cell) -> int:
    # A Content has no width Rich can measure, so the table cannot size itself.
    return cell.cell_length if isinstance(cell, Content) else cell_len(cell)
