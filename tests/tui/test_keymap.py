"""Keys are the person's: any binding can be moved by its id, and jump mode reaches every field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pilot_waits import settled, until
from rich.cells import cell_len
from textual.widgets import Button, Input, Static

from engine.contract.problem import Problem
from tui.actions import PARTS
from tui.app import SovdeckApp
from tui.keymap import check_keymap
from tui.screens.columns import ColumnsScreen
from tui.screens.confirm import Confirm
from tui.screens.help import HelpScreen
from tui.screens.jump import JumpScreen
from tui.services.fake_world import FakeWorld
from tui.services.fakes import make_world
from tui.tabs import TABS
from tui.widgets.choice import Choice
from tui.widgets.click_row import ClickRow
from tui.widgets.clip_list import ClipList
from tui.widgets.key_bar import KeyBar

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


async def test_a_binding_of_a_room_is_moved_by_its_id(make_app: Make, world: FakeWorld) -> None:
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
        assert clips.at == 0
        await pilot.press("w")
        assert clips.at == 1
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
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen), "the columns")
        await pilot.press("l")
        assert not app.settings.tables
        await pilot.press("n", "escape")
        assert app.settings.tables and isinstance(app.screen, ColumnsScreen)
        await pilot.press("f8")
        await until(pilot, lambda: not isinstance(app.screen, ColumnsScreen), "it closed")
        await pilot.press("delete", "y")
        assert isinstance(app.screen, Confirm)
        assert "F9" in str(app.screen.query_one("#yes", Button).label)
        await pilot.press("f9")
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
        assert all(words.count(action.id) == 1 for action in PARTS)


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


@pytest.mark.parametrize("room", ["dataset", "train", "settings"])
async def test_jump_mode_reaches_what_can_be_focused(
    make_app: Make, world: FakeWorld, room: str
) -> None:
    app = make_app(world, start=room)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.set_focus(None)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        assert isinstance(app.screen, JumpScreen)
        letter, target = next(iter(app.screen.targets.items()))
        await pilot.press(letter)
        await until(pilot, lambda: app.focused is target, "the focus")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("room", ["servers", "monitor", "speak", "dataset", "audition"])
async def test_the_way_to_help_never_falls_off_the_footer(
    make_app: Make, world: FakeWorld, room: str, language: str
) -> None:
    app = make_app(world, start=room, language=language)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot, app, world)
        footer = app.screen.query_one(KeyBar)
        assert "F1" in str(footer.content)
        assert footer.content.cell_length <= 60  # type: ignore[attr-defined]
        at = str(footer.content).index("F1")
        column = cell_len(str(footer.content)[:at])
        await pilot.click(KeyBar, offset=(column, 0))
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "help by mouse")


async def test_in_a_text_field_the_way_out_of_it_is_shown(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: isinstance(app.focused, Input), "the name of the voice")
        footer = app.screen.query_one(KeyBar)
        await until(pilot, lambda: str(footer.content).startswith(" Esc Leave field"))
        await pilot.press("escape")
        await until(pilot, lambda: "Esc" not in str(footer.content), "the room's own keys")
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "monitor")


async def test_a_room_whose_name_is_given_types_nothing_by_itself(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#voice", Input).value = "ATRI"
        await pilot.press("escape", "2", "4")
        await until(pilot, lambda: isinstance(app.focused, Choice), "a field without letters")
        await pilot.press("3")
        await until(pilot, lambda: app.current_mode == "voices")


async def test_without_a_voice_the_proposed_key_is_not_typed(make_app: Make) -> None:
    app = make_app(make_world(empty=True), start="speak")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.controller.idle and app.screen.has_class("-empty"))
        await pilot.press("4")
        await until(pilot, lambda: app.current_mode == "train", "the way to a voice")


async def test_every_room_is_a_click_away(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app, world)
        for number, room in enumerate(TABS, 1):
            tabs = app.screen.query_one("#tabs", ClickRow)
            before = str(tabs.content).partition(str(number))[0]
            await pilot.click(tabs, offset=(cell_len(before), 0))
            await until(pilot, lambda room=room: app.current_mode == room, room)  # type: ignore[misc]


async def test_settings_are_changed_by_letters_too(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="settings")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#marker", Choice).focus()
        await pilot.press("l")
        assert app.settings.marker != "braille"
        await pilot.press("h", "j")
        assert app.settings.marker == "braille"
        assert isinstance(app.focused, Choice) and app.focused.id == "smoothing"


async def test_read_only_is_switched_by_one_key_and_shown(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.set_focus(None)
        await pilot.press("f4")
        assert app.controller.read_only and app.settings.read_only
        await pilot.press("f4")
        assert not app.controller.read_only
