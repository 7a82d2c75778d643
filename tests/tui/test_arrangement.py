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

from tui.app import SovdeckApp
from tui.screens.columns import ColumnsScreen
from tui.services.fakes import FakeWorld
from tui.settings import load
from tui.state.arrangement import Arrangement
from tui.widgets.choice import Choice
from tui.widgets.fact_table import FactTable

Make = Callable[..., SovdeckApp]


@given(st.lists(st.none() | st.floats(allow_nan=False)), st.sampled_from(["size", "-size"]))
def test_unknown_values_come_last_either_way(values: list[float | None], sort: str) -> None:
    rows = Arrangement(sort).rows(values, lambda value, column: value)
    known = [value for value in rows if value is not None]
    assert rows == known + [None] * values.count(None)
    assert known == sorted(known, reverse=sort.startswith("-"))


def test_a_title_turns_its_column_round_and_lets_go_of_it() -> None:
    rising = Arrangement().turned("price")
    falling = rising.turned("price")
    assert (rising.sort, falling.sort, falling.turned("price").sort) == ("price", "-price", "")
    assert falling.turned("name").sort == "name"


def shown(app: SovdeckApp) -> FactTable:
    return app.screen.query_one(FactTable)


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
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        app.screen.query_one("#sort", Choice).value = "price"
        app.screen.query_one("#direction", Choice).value = "falling"
        app.screen.query_one("#column-disk", Choice).value = "hidden"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ColumnsScreen))
        await until(pilot, lambda: shown(app).keys != as_they_come, "another order")
        listed = [prices[name] for name in shown(app).keys if prices[name] is not None]
        assert listed == sorted(listed, reverse=True) and len(listed) > 1
        titles = {str(column.key.value): str(column.label) for column in shown(app).ordered_columns}
        assert "disk" not in titles and titles["price"].endswith("▼")
        assert app.state.server == chosen == shown(app).chosen_key
    assert load(app.settings_path).tables == {"servers": {"sort": "-price", "hidden": ["disk"]}}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("room", ["servers", "voices"])
@pytest.mark.parametrize("width", [60, 80, 100, 130])
async def test_no_column_is_cut_off(
    make_app: Make, world: FakeWorld, room: str, language: str, width: int
) -> None:
    mika = world.voices["lab-a100"][0]
    many = tuple(
        replace(mika.checkpoints[0], path=f"SoVITS_weights/Mika/{n}", epoch=n) for n in range(50)
    )
    world.voices["lab-a100"] = (replace(mika, checkpoints=many),)
    app = make_app(world, start=room, language=language)
    async with app.run_test(size=(width, 24)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(shown(app).keys) > 1, "the rows")
        table = shown(app)
        await until(pilot, lambda: table.virtual_size.width <= table.size.width, "all columns")
        columns = [str(column.key.value) for column in table.ordered_columns]
        last = {"voices": "home", "servers": "price" if width > 60 else "job"}[room]
        assert columns[0] in ("name", "voice") and last in columns
        if room == "voices" and "epochs" in columns:
            assert str(table.get_cell("lab-a100/Mika", "epochs")) == "0 … 49 (50)"


@pytest.mark.parametrize("room", ["servers", "voices"])
async def test_a_click_on_a_title_sorts(make_app: Make, world: FakeWorld, room: str) -> None:
    app = make_app(world, start=room)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(shown(app).keys) > 1, "the rows")
        table = shown(app)
        await pilot.click(DataTable, offset=(2, 0))
        await until(pilot, lambda: app.settings.tables != {}, "the click")
        assert table.keys == sorted(table.keys, key=lambda key: key.rpartition("/")[2].casefold())
        sort = app.settings.tables[room]["sort"]
        await pilot.click(DataTable, offset=(2, 0))
        await until(pilot, lambda: app.settings.tables[room]["sort"] == f"-{sort}")
