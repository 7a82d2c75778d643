"""The disk of a server: what lies there, and what a person removes of it after looking."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import until
from textual.pilot import Pilot
from textual.widgets import Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.disk import DiskScreen
from sovdeck.tui.services.fakes.world import FakeWorld

Make = Callable[..., SovdeckApp]
SERVER = "tokyo-4090"
KEYS = {"/": "slash", "-": "minus"}


async def open_disk(pilot: Pilot[None], app: SovdeckApp) -> DiskScreen:
    await until(pilot, lambda: app.state.server == SERVER, "the servers")
    await pilot.press("f")
    await until(pilot, lambda: SERVER in app.state.disks, "the list")
    await until(
        pilot, lambda: isinstance(app.screen, DiskScreen) and app.screen.table.row_count > 0
    )
    assert isinstance(app.screen, DiskScreen)
    return app.screen


def shown(app: SovdeckApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


async def go_to(pilot: Pilot[None], screen: DiskScreen, path: str) -> None:
    row = screen.table.keys.index(path)
    screen.table.move_cursor(row=row)
    await until(pilot, lambda: screen.table.cursor_key == path, path)


async def test_what_loses_nothing_goes_after_a_preview(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await open_disk(pilot, app)
        assert [item.kind for item in screen.items][:2] == ["states", "states"]
        await pilot.press("delete")
        assert app.screen is screen, "nothing is ticked"
        await pilot.press("s")
        await until(pilot, lambda: "2 things ticked, 1.1 GB" in shown(app, "#chosen"))
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the preview")
        assert "Remove 2 things, 1.1 GB, from tokyo-4090?" in shown(app, ".question")
        assert "logs/Old Mei/4-cnhubert  813 MB" in shown(app, ".more")
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert not [call for call in world.calls if call.startswith("clean")]
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the preview")
        await pilot.press("y")
        await until(pilot, lambda: len(screen.items) == 7, "removed and listed again")
        call = f"clean {SERVER} logs/Old Mei/4-cnhubert packs/Old Mei.zip"
        assert call in world.calls and not screen.chosen
        assert any("Removed 2 items, 1.1 GB" in notice.text.en for notice in app.state.notices)


async def test_an_only_copy_needs_its_path_typed(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    path = "runs/mei-3/samples"
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await open_disk(pilot, app)
        await go_to(pilot, screen, path)
        await pilot.press("space", "delete")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen), "its path is asked")
        await pilot.press("x", "enter")
        await until(pilot, lambda: "not its name" in shown(app, "#fault"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert not [call for call in world.calls if call.startswith("clean")]
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen), "its path is asked")
        await pilot.press(*(KEYS.get(char, char) for char in path), "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the preview")
        await pilot.press("y")
        assert isinstance(app.screen, ConfirmScreen), "an only copy is asked for twice"
        await pilot.press("y")
        await until(pilot, lambda: path not in {item.path for item in screen.items}, "removed")
        assert f"clean {SERVER} {path} named:{path}" in world.calls


async def test_what_a_run_works_with_cannot_be_ticked(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(60, 16)) as pilot:
        screen = await open_disk(pilot, app)
        await go_to(pilot, screen, "cache")
        await pilot.press("space")
        await pilot.pause()
        assert not screen.chosen
        await go_to(pilot, screen, "logs/Old Mei/states")
        await pilot.press("enter")
        await until(pilot, lambda: "1 thing ticked" in shown(app, "#chosen"))
        await pilot.press("q")
        await until(pilot, lambda: app.screen is not screen, "the servers again")


async def test_nothing_is_removed_while_read_only(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_disk(pilot, app)
        await pilot.press("s", "delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the preview")
        await pilot.press("y")
        await until(pilot, lambda: len(app.state.notices) > 0, "the refusal")
        assert not [call for call in world.calls if call.startswith("clean")]


async def test_a_narrow_screen_shortens_paths_and_cuts_nothing(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(60, 16)) as pilot:
        screen = await open_disk(pilot, app)
        await until(pilot, lambda: screen.table.max_scroll_x == 0, "no column beyond the edge")
        path, mark = screen.table.get_row_at(0)[1], screen.table.get_row_at(0)[-1]
        assert str(path).startswith("…") and str(path).endswith("states_v2Pro")
        assert str(mark).startswith("in use by ") and str(mark).endswith("-atri")
