"""Leaving while another screen is being composed anew: nothing ends with an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from pilot_waits import settled, until
from textual import events
from textual.app import App
from textual.widgets import DataTable, Static
from textual.widgets.data_table import RowKey

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.composed_screen import ComposedScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.widgets.diff_table import DiffTable


async def test_what_a_gone_table_still_had_to_say_is_dropped(
    make_app: Callable[..., SovdeckApp], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []

    def leave(table: DiffTable) -> None:
        """As its last act the old table reports a row, and the person leaves."""
        if not left:
            left.append(table.id or "")
            message = DataTable.RowHighlighted(table, 0, RowKey("tokyo-4090"))
            table.screen.post_message(message)
            App.exit(table.app)

    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        monkeypatch.setattr(DiffTable, "on_unmount", leave, raising=False)
        await pilot.press("f2")
        await until(pilot, lambda: bool(left))
    assert left == ["servers"]
    assert app.return_code == 0


async def test_a_timer_of_a_screen_that_is_left_does_nothing(
    make_app: Callable[..., SovdeckApp], world: FakeWorld
) -> None:
    called: list[str] = []
    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        screen = app.screen
        screen.set_timer(0.01, lambda: called.append("before"))
        await until(pilot, lambda: bool(called))
        App.exit(app)
        timer = screen.set_timer(10, lambda: called.append("after"))
        callback = timer._callback
        assert callback is not None and callback() is None  # as when its time has come
    assert called == ["before"]


async def test_keys_work_after_a_focus_that_came_while_its_widget_left(
    make_app: Callable[..., SovdeckApp], world: FakeWorld
) -> None:
    """A click's focus waits in the app's queue; meanwhile the screen is composed anew."""
    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        screen = app.screen
        gone = screen.query_one(DiffTable)
        left = gone.remove()
        screen.set_focus(gone)
        await left
        assert screen.focused is not gone
        await pilot.press("ctrl+q")
    assert app.return_code == 0


async def test_what_waited_for_a_screen_that_left_is_done_all_the_same(
    make_app: Callable[..., SovdeckApp], world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        with pytest.MonkeyPatch.context() as composing:  # a dialog that is not there yet
            composing.setattr(app, "_is_screen_whole", lambda: False)
            await app.run_action("go('speak')")
        await until(pilot, lambda: app.current_mode == "speak")


async def test_leaving_waits_for_a_screen_below_a_dialog(
    make_app: Callable[..., SovdeckApp], world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        below = app.screen
        assert isinstance(below, ComposedScreen)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        below._composing = True
        app.exit()
        await asyncio.wait_for(app.run_held(), 10)  # gives the screen below its turn
        assert not app._exit
        below._composing = False
        await app.run_held()
        assert app._exit
    assert app.return_code == 0


async def test_the_mouse_hits_nothing_that_was_removed(
    make_app: Callable[..., SovdeckApp], world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        detail = app.screen.query_one("#detail", Static)
        x, y = detail.region.x + 1, detail.region.y + 1
        hit, _ = app.screen.get_widget_at(x, y)
        press = events.MouseDown(hit, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y)
        with monkeypatch.context() as gone:  # as between its removal and the next layout
            gone.setattr(hit, "_parent", None)
            await app.on_event(press)
        await app.on_event(press)
    assert app.return_code in (0, None)
