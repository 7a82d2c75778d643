"""Number keys switch screens wherever the tab bar promises it, whatever has the focus."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pilot_waits import settled, until
from speak_pilot import go_to_mika
from textual.widgets import Input, Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dataset.screen import DatasetScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.screens.monitor.screen import MonitorScreen
from sovdeck.tui.screens.speak.screen import SpeakScreen
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.widgets.click_row import ClickRow
from sovdeck.tui.widgets.form_input import FormText
from sovdeck.tui.widgets.key_bar import KeyBar

Make = Callable[..., SovdeckApp]


def tabs(app: SovdeckApp) -> str:
    return str(app.screen.query_one("#tabs", ClickRow).content)


def footer(app: SovdeckApp) -> str:
    return str(app.screen.query_one(KeyBar).content)


async def test_the_text_to_speak_takes_digits_only_while_it_is_edited(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await go_to_mika(pilot, app, world, "6")
        area = app.screen.query_one("#words", FormText)
        area.focus()
        await until(pilot, lambda: area.has_focus, "the focus on the text")
        assert "2 Monitor" in tabs(app) and "Type here" in footer(app) and not area.show_cursor
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen), "the screen of key 2")
        await pilot.press("6")
        await until(pilot, lambda: isinstance(app.screen, SpeakScreen), "back")
        assert area.text == ""

        await pilot.press("enter", "2", "enter", "s")
        await until(pilot, lambda: area.text == "2\ns", "what was typed")
        assert isinstance(app.screen, SpeakScreen) and area.show_cursor
        await until(pilot, lambda: "· Monitor" in tabs(app) and "Done typing" in footer(app))
        await pilot.press("escape")
        await until(pilot, lambda: "2 Monitor" in tabs(app) and "Type here" in footer(app))
        assert area.has_focus and area.text == "2\ns", "what was typed stays"
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen), "the screen of key 2")


async def test_a_paste_and_a_click_begin_to_edit_the_text(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await go_to_mika(pilot, app, world, "6")
        area = app.screen.query_one("#words", FormText)
        await pilot.click("#words", offset=(3, 1))
        await until(pilot, lambda: area.editing, "a click edits")
        await pilot.press("o", "k")
        await until(pilot, lambda: area.text == "ok")
        await pilot.press("escape", "ctrl+n")
        assert not area.editing


@pytest.mark.parametrize(
    ("keys", "said"), [("r", "orders after a question"), ("f", "safe to remove"), ("d", "step by")]
)
async def test_help_and_palette_know_the_screens_without_a_tab(
    make_app: Make, keys: str, said: str
) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        await pilot.press(keys)
        await until(pilot, lambda: isinstance(app.screen, AppScreen) and app.screen.SCOPE != "")
        opened = app.screen
        offered = {str(one.title) for one in app.get_system_commands(opened)}
        assert "Back" in offered and "Add server" not in offered
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert said in str(app.screen.query_one("#about", Static).content)


@pytest.mark.parametrize("by", ["enter", "tab"])
async def test_a_transcript_takes_digits_only_while_it_is_edited(make_app: Make, by: str) -> None:
    app = make_app(make_world(), start="dataset")
    async with app.run_test(size=(130, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, DatasetScreen)
        screen.query_one("#folder", Input).value = "/data/atri"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.state.dataset is not None and screen.clips.has_focus)
        screen.add_class("-proof")
        await pilot.press(by)
        field = screen.query_one("#text", Input)
        await until(pilot, lambda: field.has_focus, "the field")
        if by == "enter":  # a clip was opened to be mended
            await pilot.press("2")
            assert isinstance(app.screen, DatasetScreen) and "2" in field.value
            await pilot.press("escape")
            await until(pilot, lambda: screen.clips.has_focus, "back in the list")
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen), "the screen of key 2")
