"""A clip that lies on a server is brought here, trimmed, and sent as a reference of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pilot_waits import settled, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.dialogs.trim_reference import TrimReferenceScreen
from sovdeck.tui.screens.speak.screen import SpeakScreen
from sovdeck.tui.services.fakes.services import FakeWorld
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.waveform import TrimBar, Waveform

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)
KEY = "lab-a100/Mika"


async def at_clips(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> SpeakScreen:
    await settled(pilot, app, world)
    await until(pilot, lambda: len(app.state.all_voices()) == 2, "both voices")
    await pilot.press("escape", "right_square_bracket")
    await until(pilot, lambda: KEY in app.state.voice_assets, "the assets of the voice")
    app.screen.query_one("#clips", DiffTable).focus()
    await pilot.pause()
    assert isinstance(app.screen, SpeakScreen)
    return app.screen


async def test_a_clip_of_the_server_is_drawn_trimmed_and_sent(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        shown = await at_clips(pilot, app, world)
        clip = shown.clip_at_cursor
        assert clip is not None and shown.query_one("#wave", Waveform).peaks == clip.peaks
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TrimReferenceScreen))
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
        sent = f"upload reference lab-a100 Mika {name} {start:.1f}-{end:.1f}"
        await until(pilot, lambda: sent in world.calls, "the part that was kept")
        await until(pilot, lambda: shown.form.clip == f"lent/{name}", "it is taken")
        field = shown.query_one("#field-infer-ref_text Input", Input)
        await until(pilot, lambda: field.value == "高性能ですから", "its words")


async def test_parts_of_the_screen_are_gone_through_as_fast_as_keys_come(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        shown = await at_clips(pilot, app, world)
        shown.query_one("#words").focus()
        await pilot.pause()
        for _ in range(4):  # without waiting: keys of a fast hand come in one burst
            shown.action_next_page()
        assert app.focused is shown.query_one("#takes")


async def test_no_usable_reference_is_said_and_trimming_offered(
    make_app: Make, world: FakeWorld
) -> None:
    assets = world.voice_assets[KEY]
    long = tuple(replace(clip, seconds=14.0) for clip in assets.references)
    world.voice_assets[KEY] = replace(assets, references=long)
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        shown = await at_clips(pilot, app, world)
        offer = "none lasts 3 to 10 s: t trims one"
        await until(pilot, lambda: shown.query_one("#refs").border_subtitle == offer, "the offer")
        assert shown.form.clip == ""
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TrimReferenceScreen), "the trimming")
        await pilot.press("escape", "escape", "7", "ctrl+s")
        await until(pilot, lambda: bool(app.screen.query("#lacking")), "a new audition says it too")


async def test_one_that_is_too_short_is_not_fetched(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="speak")
    assets = world.voice_assets[KEY]
    short = replace(assets.references[0], seconds=1.4, window=None)
    world.voice_assets[KEY] = replace(assets, references=(short, *assets.references[1:]))
    async with app.run_test(size=SIZE) as pilot:
        await at_clips(pilot, app, world)
        await pilot.press("t")
        await pilot.pause()
        assert not isinstance(app.screen, TrimReferenceScreen)
        assert not any(call.startswith("fetch") for call in world.calls)


async def test_a_clip_is_named_and_stays_the_one_that_is_imitated(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        shown = await at_clips(pilot, app, world)
        clip = shown.clip_at_cursor
        assert clip is not None
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen))
        assert "Mika:NAME" in str(app.screen.query_one(".more", Static).content)
        field = app.screen.query_one("#name", Input)
        field.value = "so/so"
        await pilot.press("enter")
        await pilot.pause()
        assert "file name" in str(app.screen.query_one("#fault", Static).content)
        field.value = "happy"
        await pilot.press("enter")
        said = f"name reference lab-a100 Mika {clip.path} happy"
        await until(pilot, lambda: said in world.calls, "the name on the server")
        await until(pilot, lambda: shown.form.clip == "lent/happy.wav", "it is taken")
        table = shown.query_one("#clips", DiffTable)
        table.move_cursor(row=0)
        await pilot.pause()
        assert "happy" in str(table.get_row("lent/happy.wav")[-1])
        assert "Mika:happy" in str(shown.query_one("#help", Static).content)
        await pilot.press("j", "n")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen))
        app.screen.query_one("#name", Input).value = "Happy"
        await pilot.press("enter")
        await pilot.pause()
        assert "Another clip" in str(app.screen.query_one("#fault", Static).content)
