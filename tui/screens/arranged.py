"""Rooms with a table that a person may sort and thin out; how is kept in the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.widgets import DataTable

from tui.screens.columns import ColumnsScreen
from tui.screens.deck_screen import DeckScreen
from tui.state.arrangement import Arrangement
from tui.widgets.fact_table import FactTable, Row, fitting

_MARGINS = 4  # cells beside the table


class ArrangedRoom(DeckScreen):
    """COLUMNS are key and title in their order; the first cannot be hidden.

    SPARE are those that go first where there is no room for all.
    """

    COLUMNS: ClassVar[Mapping[str, str]] = {}
    SPARE: ClassVar[Sequence[str]] = ()

    @property
    def arrangement(self) -> Arrangement:
        return Arrangement.read(self.deck.settings.tables.get(self.TAB, {}))

    def columns(self, fitting: Iterable[str]) -> dict[str, str]:
        """Those of `fitting` that are not hidden, with their titles."""
        now = self.arrangement
        return {
            name: self.say(self.COLUMNS[name]) + now.mark(name)
            for name in fitting
            if name not in now.hidden
        }

    def fill(self, names: Iterable[str], rows: Sequence[Row], chosen: str | None = None) -> None:
        """Fill the table with as many of these columns as there is room for."""
        room = self.app.size.width - _MARGINS
        shown = fitting(self.columns(names), rows, room, self.SPARE)
        self.query_one(FactTable).fill(shown, rows, chosen)

    def keep_arrangement(self, arrangement: Arrangement) -> None:
        tables = {**self.deck.settings.tables, self.TAB: arrangement.kept()}
        self.deck.keep(self.deck.settings.with_(tables=tables))
        self.show_all()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self.keep_arrangement(self.arrangement.turned(str(event.column_key.value)))

    def action_columns(self) -> None:
        titles = {name: self.say(words) for name, words in self.COLUMNS.items()}
        self.app.push_screen(ColumnsScreen(titles, self.arrangement, self.keep_arrangement))
