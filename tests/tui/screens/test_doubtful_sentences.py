"""Doubtful sentences of read books are heard, redone and kept, by keys."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import until
from speak_pilot import go_to_mika
from textual.pilot import Pilot
from textual.widgets import Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.speak.doubtful import DoubtfulScreen
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.speech_models import DoubtfulRow
from sovdeck.tui.widgets.diff_table import DiffTable

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)
ROWS = (
    DoubtfulRow(
        "d1", "The Storm", 17, 2, 41.0, ("lost",), "The captain had promised.", "Promised."
    ),
    DoubtfulRow("d1", "The Storm", 30, 3, 5.5, ("cut", "other_reason"), "Then it rained.", ""),
)


def words(app: SovdeckApp) -> str:
    return str(app.screen.query_one("#words", Static).content)


async def opened(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> DiffTable:
    await go_to_mika(pilot, app, world, "6")
    await pilot.press("b")
    await until(pilot, lambda: isinstance(app.screen, DoubtfulScreen))
    await until(pilot, lambda: app.state.read_books is not None, "the books")
    await pilot.pause()
    return app.screen.query_one(DiffTable)


async def test_a_sentence_is_heard_redone_and_kept(make_app: Make) -> None:
    world = make_world()
    world.doubtful = ROWS
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        table = await opened(pilot, app, world)
        await until(pilot, lambda: table.row_count == 2, "the sentences")
        assert "heard: Promised." in words(app)
        assert "word lost" in str(table.get_row("d1/17"))
        await pilot.press("space")
        await until(pilot, lambda: "fetch sentence d1/17" in world.calls, "its sound")
        await until(pilot, lambda: bool(world.player.played), "it is heard")
        await pilot.press("j")
        await until(pilot, lambda: "Then it rained." in words(app), "the other one")
        await pilot.press("k")

        world.gate.clear()
        await pilot.press("e")
        await until(pilot, lambda: "being spoken" in words(app), "it is at work")
        await pilot.press("e")  # one at a time
        world.gate.set()
        await until(pilot, lambda: "redone" in words(app), "another rendering")
        assert world.calls.count("redo d1/17") == 1
        await pilot.press("s")
        await until(pilot, lambda: table.row_count == 1, "it left the table")
        assert "keep d1/17" in world.calls
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, DoubtfulScreen))


async def test_without_a_doubtful_sentence_it_is_said_why(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        table = await opened(pilot, app, world)
        assert "no book yet" in words(app) and not table.display
        world.has_read = True
        await pilot.press("r")
        await until(pilot, lambda: "Nothing is doubtful" in words(app), "the other reason")
        await pilot.press("space", "e", "s")  # nothing to do it to
        await pilot.pause()
        assert not [call for call in world.calls if call.startswith(("redo", "keep", "fetch"))]


async def test_a_read_only_dashboard_listens_and_changes_nothing(make_app: Make) -> None:
    world = make_world()
    world.doubtful = ROWS
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await go_to_mika(pilot, app, world, "6")
        await pilot.press("f4", "b")
        await until(pilot, lambda: isinstance(app.screen, DoubtfulScreen))
        table = app.screen.query_one(DiffTable)
        await until(pilot, lambda: table.row_count == 2, "the sentences")
        await pilot.press("s", "space")
        await until(pilot, lambda: "fetch sentence d1/17" in world.calls, "its sound")
        assert "keep d1/17" not in world.calls
