"""Tables are the person's: sorted by a title's click or in a list, thinned out, and kept so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilot_waits import settled, until
from textual.widgets import DataTable

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.table_columns import TableColumnsScreen
from sovdeck.tui.services.fakes.services import FakeWorld
from sovdeck.tui.shell.settings import load_settings
from sovdeck.tui.state.table_layout import TableLayout
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.option_stepper import OptionStepper

Make = Callable[..., SovdeckApp]


@given(st.lists(st.none() | st.floats(allow_nan=False)), st.sampled_from(["size", "-size"]))
def test_unknown_values_come_last_either_way(values: list[float | None], sort: str) -> None:
    rows = TableLayout(sort).sort_rows(values, lambda value, column: value)
    known = [value for value in rows if value is not None]
    assert rows == known + [None] * values.count(None)
    assert known == sorted(known, reverse=sort.startswith("-"))


def test_a_title_turns_its_column_round_and_lets_go_of_it() -> None:
    rising = TableLayout().with_next_sort("price")
    falling = rising.with_next_sort("price")
    assert (rising.sort, falling.sort, falling.with_next_sort("price").sort) == (
        "price",
        "-price",
        "",
    )
    assert falling.with_next_sort("name").sort == "name"


def shown(app: SovdeckApp) -> DiffTable:
    return app.screen.query_one(DiffTable)


async def test_servers_by_price_and_without_their_disk(
    make_app: Make, world: FakeWorld, tmp_path: Path
) -> None:
    app = make_app(world)
    app.settings_path = tmp_path / "settings.toml"
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        as_they_come = shown(app).keys
        chosen = app.state.server
        prices = {one.name: one.price_per_hour for one in world.saved}
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, TableColumnsScreen))
        app.screen.query_one("#sort", OptionStepper).value = "price"
        app.screen.query_one("#direction", OptionStepper).value = "falling"
        app.screen.query_one("#column-disk", OptionStepper).value = "hidden"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, TableColumnsScreen))
        await until(pilot, lambda: shown(app).keys != as_they_come, "another order")
        listed = [price for name in shown(app).keys if (price := prices[name]) is not None]
        assert listed == sorted(listed, reverse=True) and len(listed) > 1
        titles = {str(column.key.value): str(column.label) for column in shown(app).ordered_columns}
        assert "disk" not in titles and titles["price"].endswith("▼")
        assert app.state.server == chosen == shown(app).cursor_key
    assert load_settings(app.settings_path).tables == {
        "servers": {"sort": "-price", "hidden": ["disk"]}
    }


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("mode", ["servers", "voices"])
@pytest.mark.parametrize("width", [60, 80, 100, 130])
async def test_no_column_is_cut_off(
    make_app: Make, world: FakeWorld, mode: str, language: str, width: int
) -> None:
    mika = world.voices["lab-a100"][0]
    many = tuple(
        replace(mika.checkpoints[0], path=f"SoVITS_weights/Mika/{n}", epoch=n) for n in range(50)
    )
    world.voices["lab-a100"] = (replace(mika, checkpoints=many),)
    app = make_app(world, start=mode, language=language)
    async with app.run_test(size=(width, 24)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(shown(app).keys) > 1, "the rows")
        table = shown(app)
        await until(pilot, lambda: table.virtual_size.width <= table.size.width, "all columns")
        columns = [str(column.key.value) for column in table.ordered_columns]
        last = {"voices": "home", "servers": "price" if width > 60 else "job"}[mode]
        assert columns[0] in ("name", "voice") and last in columns
        if mode == "voices" and "epochs" in columns:
            assert str(table.get_cell("lab-a100/Mika", "epochs")) == "0 … 49 (50)"


@pytest.mark.parametrize("mode", ["servers", "voices"])
async def test_a_click_on_a_title_sorts(make_app: Make, world: FakeWorld, mode: str) -> None:
    app = make_app(world, start=mode)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(shown(app).keys) > 1, "the rows")
        table = shown(app)
        await pilot.click(DataTable, offset=(2, 0))
        await until(pilot, lambda: app.settings.tables != {}, "the click")
        assert table.keys == sorted(table.keys, key=lambda key: key.rpartition("/")[2].casefold())
        sort = app.settings.tables[mode]["sort"]
        await pilot.click(DataTable, offset=(2, 0))
        await until(pilot, lambda: app.settings.tables[mode]["sort"] == f"-{sort}")
