"""A clip that lies on a server is brought here, trimmed, and sent as a reference of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pilot_waits import settled, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tui.app import SovdeckApp
from tui.screens.lend import LendScreen
from tui.screens.speak import SpeakScreen
from tui.services.fakes import FakeWorld
from tui.widgets.fact_table import FactTable
from tui.widgets.waveform import TrimBar, Waveform

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)
KEY = "lab-a100/Mika"


async def at_clips(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> SpeakScreen:
    await settled(pilot, app, world)
    await until(pilot, lambda: len(app.state.all_voices()) == 2, "both voices")
    await pilot.press("escape", "right_square_bracket")
    await until(pilot, lambda: KEY in app.state.shelves, "the shelf")
    app.screen.query_one("#clips", FactTable).focus()
    await pilot.pause()
    assert isinstance(app.screen, SpeakScreen)
    return app.screen


async def test_a_clip_of_the_server_is_drawn_trimmed_and_sent(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        room = await at_clips(pilot, app, world)
        clip = room.clip_at_cursor
        assert clip is not None and room.query_one("#wave", Waveform).peaks == clip.peaks
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, LendScreen))
        trim = app.screen.query_one("#trim", TrimBar)
        await until(pilot, lambda: trim.has_focus, "its outline")
        name = clip.path.rpartition("/")[2]
        assert name in str(app.screen.query_one(".question", Static).content)
        assert not app.screen.query_one("#path").display
        words = app.screen.query_one("#words", Input)
        assert words.value == clip.text
        await pilot.press("right", "right")
        start, end = trim.window or (0.0, 0.0)
        assert start == 0.2
        words.value = "高性能ですから"
        await pilot.press("ctrl+s")
        sent = f"lend lab-a100 Mika {name} {start:.1f}-{end:.1f}"
        await until(pilot, lambda: sent in world.calls, "the part that was kept")
        await until(pilot, lambda: room.desk.clip == f"lent/{name}", "it is taken")
        field = room.query_one("#field-infer-ref_text Input", Input)
        await until(pilot, lambda: field.value == "高性能ですから", "its words")


async def test_parts_of_the_room_are_gone_through_as_fast_as_keys_come(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        room = await at_clips(pilot, app, world)
        room.query_one("#words").focus()
        await pilot.pause()
        for _ in range(4):  # without waiting: keys of a fast hand come in one burst
            room.action_next_page()
        assert app.focused is room.query_one("#takes")


async def test_one_that_is_too_short_is_not_fetched(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="speak")
    shelf = world.shelves[KEY]
    short = replace(shelf.references[0], seconds=1.4, window=None)
    world.shelves[KEY] = replace(shelf, references=(short, *shelf.references[1:]))
    async with app.run_test(size=SIZE) as pilot:
        await at_clips(pilot, app, world)
        await pilot.press("t")
        await pilot.pause()
        assert not isinstance(app.screen, LendScreen)
        assert not any(call.startswith("fetch") for call in world.calls)
