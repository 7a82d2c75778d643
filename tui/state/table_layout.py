"""How a person has laid out a table: sorted by which column, without which. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

Row = TypeVar("Row")
Value = str | float | None


@dataclass(frozen=True)
class TableLayout:
    """`sort` is a column, after "-" in descending order; empty: in the order they came."""

    sort: str = ""
    hidden: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TableLayout:
        """From the settings file, which has checked it."""
        return cls(settings.get("sort", ""), tuple(settings.get("hidden", ())))

    def to_settings(self) -> dict[str, Any]:
        """As the settings file holds it."""
        return {"sort": self.sort, "hidden": list(self.hidden)}

    @property
    def column(self) -> str:
        """The column that sorts; empty for none."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the greatest value comes first."""
        return self.sort.startswith("-")

    def sort_marker(self, column: str) -> str:
        """The arrow behind the title of the column that sorts."""
        if not self.sort or column != self.column:
            return ""
        return " ▼" if self.descending else " ▲"

    def with_next_sort(self, column: str) -> TableLayout:
        """After a click on a title: ascending, then descending, then unsorted."""
        if column != self.column:
            return replace(self, sort=column)
        return replace(self, sort="" if self.descending else f"-{column}")

    def with_column(self, column: str, shown: bool) -> TableLayout:
        """With a column shown or hidden."""
        left = tuple(one for one in self.hidden if one != column)
        return replace(self, hidden=left if shown else (*left, column))

    def sort_rows(self, rows: Sequence[Row], value: Callable[[Row, str], Value]) -> list[Row]:
        """`rows` in order; what has no value in the column comes last either way."""
        if not self.sort:
            return list(rows)
        known = [row for row in rows if value(row, self.column) is not None]
        known.sort(key=lambda row: _sort_key(value(row, self.column)), reverse=self.descending)
        return known + [row for row in rows if value(row, self.column) is None]


def _sort_key(value: Value) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (value or 0.0, "")
