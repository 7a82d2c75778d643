"""How a person has arranged a table: sorted by which column, and without which. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

Row = TypeVar("Row")
Value = str | float | None


@dataclass(frozen=True)
class Arrangement:
    """`sort` is a column, after "-" with the greatest first; empty: in the order they came."""

    sort: str = ""
    hidden: tuple[str, ...] = ()

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Arrangement:
        """From the settings file, which has checked it."""
        return cls(kept.get("sort", ""), tuple(kept.get("hidden", ())))

    def kept(self) -> dict[str, Any]:
        """As the settings file holds it."""
        return {"sort": self.sort, "hidden": list(self.hidden)}

    @property
    def column(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def falling(self) -> bool:
        return self.sort.startswith("-")

    def mark(self, column: str) -> str:
        """What stands behind the title of the column that sorts."""
        if not self.sort or column != self.column:
            return ""
        return " ▼" if self.falling else " ▲"

    def turned(self, column: str) -> Arrangement:
        """After a click on a title: rising, then falling, then as they came."""
        if column != self.column:
            return replace(self, sort=column)
        return replace(self, sort="" if self.falling else f"-{column}")

    def with_column(self, column: str, shown: bool) -> Arrangement:
        left = tuple(one for one in self.hidden if one != column)
        return replace(self, hidden=left if shown else (*left, column))

    def rows(self, rows: Sequence[Row], value: Callable[[Row, str], Value]) -> list[Row]:
        """`rows` in order; what has no value in the column comes last either way."""
        if not self.sort:
            return list(rows)
        known = [row for row in rows if value(row, self.column) is not None]
        known.sort(key=lambda row: _rank(value(row, self.column)), reverse=self.falling)
        return known + [row for row in rows if value(row, self.column) is None]


def _rank(value: Value) -> tuple[float, str]:
    return (0.0, value.casefold()) if isinstance(value, str) else (value or 0.0, "")
