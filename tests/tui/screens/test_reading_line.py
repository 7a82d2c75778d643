"""The line under the text of the Speak screen, and what a take says of itself."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import until
from speak_pilot import go_to_mika, say, takes
from textual.pilot import Pilot
from textual.widgets import TextArea

from sovdeck.engine.contract.catalogue import Text
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.speak.reading_line import ReadingLine
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.widgets.diff_table import DiffTable

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


async def at_mika(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> None:
    await go_to_mika(pilot, app, world, "6")
    await until(pilot, lambda: "lab-a100/Mika" in app.state.voice_assets, "its assets")


def line(app: SovdeckApp) -> ReadingLine:
    return app.screen.query_one("#reading", ReadingLine)


async def test_the_server_says_how_the_last_text_is_read(make_app: Make) -> None:
    world = make_world()
    world.reads_texts = True
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world)
        assert not line(app).display
        area = app.screen.query_one("#words", TextArea)
        area.text = "5"
        area.text = "5 мир"
        await until(pilot, lambda: bool(line(app).display), "the reading")
        assert str(line(app).render()) == "▲ 3 without sound: м (3), и (4), р (5)  zh 五 мир  "
        assert str(area.border_subtitle) == "5 characters"
        # While somebody types nothing is asked: one question for the text that stayed.
        asked = [call for call in world.calls if call.startswith("read ")]
        assert len(asked) == 1 and asked[0].endswith("5 мир")
        area.text = "5 мира"
        await until(pilot, lambda: not line(app).display, "that an old reading goes")


async def test_where_the_server_cannot_say_the_scripts_warn(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world)
        area = app.screen.query_one("#words", TextArea)
        area.text = "мир"
        await until(pilot, lambda: app.state.reading is not None, "the answer")
        assert not line(app).display and "3 without sound" in str(area.border_subtitle)
        assert app.state.reading is not None and app.state.reading.pieces is None


async def test_a_take_shows_what_was_not_right_with_it(make_app: Make) -> None:
    world = make_world()
    world.take_notices = (Remark("warning", Text("Cut at the limit.", "到上限被截断。")),)
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world)
        await until(pilot, lambda: bool(app.screen.form.weight("gpt")), "the pair")  # type: ignore[attr-defined]
        await say(pilot, app, "你好。")
        await until(pilot, lambda: any(take.state == "done" for take in takes(app)), "the take")
        table = app.screen.query_one("#takes", DiffTable)
        await until(pilot, lambda: "▲" in str(table.get_row_at(0)), "the mark in the list")
        table.focus()
        await pilot.pause()
        assert "Cut at the limit." in str(app.screen.query_one("#help").render())
