"""Screens with a table that can be sorted and whose columns can be hidden."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.widgets import DataTable

from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.base.table_columns import TableColumnsScreen
from sovdeck.tui.state.table_layout import TableLayout
from sovdeck.tui.widgets.diff_table import DiffTable, TableRow, columns_that_fit

_MARGIN_CELLS = 4  # cells beside the table


class SortableTableScreen(AppScreen):
    """COLUMNS maps column keys to catalogue keys, in order; the first cannot be hidden.

    OPTIONAL_COLUMNS are dropped first, in this order, when the table is too wide.
    The layout is kept in the settings, by TAB.
    """

    COLUMNS: ClassVar[Mapping[str, str]] = {}
    OPTIONAL_COLUMNS: ClassVar[Sequence[str]] = ()

    @property
    def table_layout(self) -> TableLayout:
        """The saved sort order and hidden columns."""
        return TableLayout.from_settings(self.base_app.settings.tables.get(self.TAB, {}))

    def visible_columns(self, names: Iterable[str]) -> dict[str, str]:
        """The titles of those of `names` that are not hidden."""
        layout = self.table_layout
        return {
            name: self.translate(self.COLUMNS[name]) + layout.sort_marker(name)
            for name in names
            if name not in layout.hidden
        }

    def fill_table(
        self, names: Iterable[str], rows: Sequence[TableRow], chosen: str | None = None
    ) -> None:
        """Fill the table with as many of these columns as fit."""
        width = self.app.size.width - _MARGIN_CELLS
        shown = columns_that_fit(self.visible_columns(names), rows, width, self.OPTIONAL_COLUMNS)
        self.query_one(DiffTable).fill(shown, rows, chosen)

    def save_table_layout(self, layout: TableLayout) -> None:
        """Save a layout and redraw the table with it."""
        tables = {**self.base_app.settings.tables, self.TAB: layout.to_settings()}
        self.base_app.save_settings(self.base_app.settings.with_changes(tables=tables))
        self.run_when_whole(self.redraw_all)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self.save_table_layout(self.table_layout.with_next_sort(str(event.column_key.value)))

    def action_columns(self) -> None:
        titles = {name: self.translate(key) for name, key in self.COLUMNS.items()}
        self.app.push_screen(TableColumnsScreen(titles, self.table_layout, self.save_table_layout))
