"""What is shown already is not drawn again, and of a table only the cells that changed are."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static

from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.steady_text import SteadyText

COLUMNS = {"name": "Name", "memory": "Memory"}


class Stage(App[None]):
    """A table and a text."""

    def compose(self) -> ComposeResult:
        yield DiffTable()
        yield SteadyText(id="text")


def rows(**changed: str | Content) -> list[tuple[str, dict[str, str | Content]]]:
    return [
        (name, {"name": name, "memory": changed.get(name, "10/24")})
        for name in ("one", "two", "three")
    ]


def painted(table: DiffTable) -> list[str]:
    return [table.render_line(y).text.strip() for y in range(4)]


async def test_of_a_table_only_changed_cells_are_drawn_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Stage()
    async with app.run_test() as pilot:
        table = app.query_one(DiffTable)
        table.fill(COLUMNS, rows())
        await pilot.pause()
        before = painted(table)
        drawn: list[int] = []
        find = table._get_row_renderables

        def count(row: int) -> Any:
            drawn.append(row)
            return find(row)

        monkeypatch.setattr(table, "_get_row_renderables", count)
        table.fill(COLUMNS, rows())
        await pilot.pause()
        assert painted(table) == before and not drawn
        table.fill(COLUMNS, rows(two="11/24"))
        await pilot.pause()
        after = painted(table)
        assert after[2] == before[2].replace("10", "11") and after[3] == before[3]
        assert set(drawn) == {1} and len(drawn) == 1


async def test_a_wider_cell_widens_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Stage()
    async with app.run_test() as pilot:
        table = app.query_one(DiffTable)
        table.fill(COLUMNS, rows())
        await pilot.pause()
        table.fill(COLUMNS, rows(two="1000/2400"))
        await pilot.pause()
        assert painted(table)[2].split() == ["two", "1000/2400"]


async def test_a_cell_that_changes_its_colour_alone_is_drawn() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        table = app.query_one(DiffTable)
        table.fill(COLUMNS, rows(two=Content.styled("full", "green")))
        await pilot.pause()
        before = table.render_line(2)
        table.fill(COLUMNS, rows(two=Content.styled("full", "red")))
        await pilot.pause()
        assert table.render_line(2).text == before.text and table.render_line(2) != before


async def test_a_text_is_drawn_only_when_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    monkeypatch.setattr(Static, "update", lambda self, content, **options: drawn.append(content))
    async with Stage().run_test() as pilot:
        text = pilot.app.query_one(SteadyText)
        for content in ("", "a", Content.styled("a", "red")):
            text.update(content)
        assert len(drawn) == 2
        monkeypatch.setattr(text, "_Static__content", drawn[-1])
        text.update(Content.styled("a", "red"))
        assert len(drawn) == 2
        text.update(Content.styled("a", "green"))
        assert len(drawn) == 3
