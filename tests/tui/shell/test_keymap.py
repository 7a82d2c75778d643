"""Keys are the person's: any binding can be moved by its id, and jump mode reaches every field."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pilot_waits import settled, until
from rich.cells import cell_len
from textual.widgets import Button, Input, Static

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.table_columns import TableColumnsScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.screens.dialogs.jump import JumpScreen
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.actions import WIDGET_ACTIONS
from sovdeck.tui.shell.keymap import check_keymap
from sovdeck.tui.shell.tabs import TABS
from sovdeck.tui.widgets.click_row import ClickRow
from sovdeck.tui.widgets.clip_list import ClipList
from sovdeck.tui.widgets.form_input import FormInput
from sovdeck.tui.widgets.key_bar import KeyBar
from sovdeck.tui.widgets.option_stepper import OptionStepper

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


async def test_a_binding_of_a_screen_is_moved_by_its_id(make_app: Make, world: FakeWorld) -> None:
    keys = {"dataset.down": "w", "app.train": "t", "dataset.check_dataset": "f9"}
    app = make_app(world, start="dataset", keys=keys)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#folder", Input).value = "/data/ATRI"
        await pilot.press("ctrl+s")
        assert app.state.dataset is None
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.focused, ClipList))
        clips = app.screen.query_one(ClipList)
        await pilot.press("j")
        assert clips.cursor_index == 0
        await pilot.press("w")
        assert clips.cursor_index == 1
        await pilot.press("4")
        assert app.current_mode == "dataset"
        await pilot.press("t")
        await until(pilot, lambda: app.current_mode == "train")


async def test_a_key_of_a_dialog_is_moved_by_its_id(make_app: Make, world: FakeWorld) -> None:
    keys = {"confirm.yes": "f9", "columns.leave": "f8", "choice.next_value": "n"}
    app = make_app(world, keys=keys)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, TableColumnsScreen), "the columns")
        await pilot.press("l")
        assert not app.settings.tables
        await pilot.press("n", "escape")
        assert app.settings.tables and isinstance(app.screen, TableColumnsScreen)
        await pilot.press("f8")
        await until(pilot, lambda: not isinstance(app.screen, TableColumnsScreen), "it closed")
        await pilot.press("delete", "y")
        assert isinstance(app.screen, ConfirmScreen)
        assert "F9" in str(app.screen.query_one("#yes", Button).label)
        await pilot.press("f9", "f9")  # a run works there: it asks twice
        await until(pilot, lambda: "tokyo-4090" not in app.state.servers, "the answer")


@pytest.mark.parametrize("width", [60, 120])
async def test_the_ids_of_dialogs_can_be_read_in_the_help_of_settings(
    make_app: Make, world: FakeWorld, width: int
) -> None:
    app = make_app(world, start="settings")
    async with app.run_test(size=(width, 36)) as pilot:
        await settled(pilot, app, world)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "the help")
        shown = [str(one.content) for one in app.screen.query(Static) if one.display]
        words = " ".join(shown).split()
        assert all(words.count(action.id) == 1 for action in WIDGET_ACTIONS)


def test_an_id_that_no_binding_has_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    check_keymap(path, {"monitor.smoothing": "w"})
    with pytest.raises(Problem) as caught:
        check_keymap(path, {"monitor.smothing": "w"})
    assert str(path) in caught.value.sentence() and "monitor.smothing" in caught.value.sentence()
    assert "monitor.smoothing" in caught.value.hint.en


async def test_a_letter_of_jump_mode_can_be_clicked(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="settings")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        assert isinstance(app.screen, JumpScreen)
        letter, target = list(app.screen.targets.items())[2]
        label = next(one for one in app.screen.query(Static) if str(one.content).strip() == letter)
        await pilot.click(label)
        await until(pilot, lambda: app.focused is target, "the focus")


async def test_jump_mode_reaches_what_can_be_focused(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        for mode in ("dataset", "train", "settings"):
            await app.switch_mode(mode)
            await until(pilot, lambda: bool(app.screen.query("#tabs")), mode)
            app.set_focus(None)
            await pilot.press("ctrl+o")
            await until(pilot, lambda: isinstance(app.screen, JumpScreen), mode)
            assert isinstance(app.screen, JumpScreen)
            letter, target = next(iter(app.screen.targets.items()))
            await pilot.press(letter)
            await until(pilot, lambda target=target: app.focused is target, "the focus")  # type: ignore[misc]


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_way_to_help_never_falls_off_the_footer(
    make_app: Make, world: FakeWorld, language: str
) -> None:
    app = make_app(world, language=language)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot, app, world)
        for mode in ("servers", "monitor", "speak", "dataset", "audition"):
            await app.switch_mode(mode)
            await until(
                pilot,
                lambda: any("F1" in str(bar.content) for bar in app.screen.query(KeyBar)),
                f"the way to help on {mode}",
            )
            shown = str(app.screen.query_one(KeyBar).content)
            assert "^q" in shown and cell_len(shown) <= 60, mode
            column = cell_len(shown[: shown.index("F1")])
            await pilot.click(KeyBar, offset=(column, 0))
            await until(pilot, lambda: isinstance(app.screen, HelpScreen), "help by mouse")
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, HelpScreen), "help is closed")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_no_function_key_falls_off_the_footer_of_the_dataset(
    make_app: Make, world: FakeWorld, language: str
) -> None:
    app = make_app(world, start="dataset", language=language)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot, app, world)
        app.set_focus(None)
        footer = app.screen.query_one(KeyBar)
        await until(
            pilot,
            lambda: all(f" {key} " in str(footer.content) for key in ("^s", "F5", "F6", "F7")),
            "every key that no letter stands for",
        )
        assert cell_len(str(footer.content)) <= 60


async def test_in_a_text_field_the_way_out_of_it_is_shown(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#voice", FormInput).begin_edit()
        footer = app.screen.query_one(KeyBar)
        await until(pilot, lambda: str(footer.content).startswith(" Esc Done typing"))
        await pilot.press("escape")
        await until(pilot, lambda: "Esc" not in str(footer.content), "the screen's own keys")
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "monitor")


async def test_a_screen_whose_name_is_given_types_nothing_by_itself(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#voice", Input).value = "ATRI"
        await pilot.press("escape", "2", "4")
        await until(
            pilot, lambda: isinstance(app.focused, OptionStepper), "a field without letters"
        )
        await pilot.press("3")
        await until(pilot, lambda: app.current_mode == "voices")


async def test_without_a_voice_the_proposed_key_is_not_typed(make_app: Make) -> None:
    app = make_app(make_world(empty=True), start="speak")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.controller.idle and app.screen.has_class("-empty"))
        await pilot.press("4")
        await until(pilot, lambda: app.current_mode == "train", "the way to a voice")


@pytest.mark.long
async def test_every_screen_is_a_click_away(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app, world)
        for number, shown in enumerate(TABS):
            tabs = app.screen.query_one("#tabs", ClickRow)
            content = str(tabs.content)
            # While text is typed, dots stand for the numbers, which would be typed too.
            at = [sign.start() for sign in re.finditer(r"[1-9·]", content)][number]
            await pilot.click(tabs, offset=(cell_len(content[:at]), 0))
            await until(pilot, lambda shown=shown: app.current_mode == shown, shown)  # type: ignore[misc]


async def test_settings_are_changed_by_letters_too(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="settings")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#marker", OptionStepper).focus()
        await pilot.press("l")
        assert app.settings.marker != "braille"
        await pilot.press("h", "j")
        assert app.settings.marker == "braille"
        assert isinstance(app.focused, OptionStepper) and app.focused.id == "smoothing"


async def test_read_only_is_switched_by_one_key_and_shown(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.set_focus(None)
        await pilot.press("f4")
        assert app.controller.read_only and app.settings.read_only
        await pilot.press("f4")
        assert not app.controller.read_only
