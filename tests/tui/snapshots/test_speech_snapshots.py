"""Pictures of the screens that speak; `pytest tests/tui --snapshot-update` takes a wanted one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from pilot_waits import drawn, settled, until
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.audition.blind_vote import BlindVoteScreen
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.blind_test import make_comparisons
from sovdeck.tui.widgets.diff_table import DiffTable

Make = Callable[..., SovdeckApp]
WORDS = "おはようございます、マスター。今日も一緒に頑張りましょう。"
SIZES = {"wide": (120, 36), "normal": (80, 24), "small": (60, 16)}
LOOKS = ["wide-night", "normal-night", "small-zh", "wide-day", "wide-sixteen"]


def look_of(look: str) -> tuple[tuple[int, int], dict[str, str]]:
    size, how = look.split("-")
    return SIZES[size], {"language": "zh"} if how == "zh" else {"theme": how}


async def at_mika(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> None:
    await settled(pilot, app, world)
    await until(pilot, lambda: len(app.state.all_voices()) == 2)
    await pilot.press("escape", "right_square_bracket")
    await until(pilot, lambda: "lab-a100/Mika" in app.state.voice_assets)
    await until(pilot, lambda: app.state.voice == ("lab-a100", "Mika"))
    await calm(pilot, app)


async def calm(pilot: Pilot[None], app: SovdeckApp) -> None:
    """Nothing blinks, and what was reported is drawn."""
    for field in (*app.screen.query(Input), *app.screen.query(TextArea)):
        field.cursor_blink = False
    await until(pilot, lambda: app.controller.idle)
    await drawn(pilot)


@pytest.mark.parametrize("look", LOOKS)
def test_speak(snap_compare: Any, make_app: Make, world: FakeWorld, look: str) -> None:
    size, settings = look_of(look)
    app = make_app(world, start="speak", play_takes=False, **settings)

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        app.screen.query_one("#words", TextArea).text = WORDS
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(take.ended for take in app.state.takes.values()))
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("page", ["pair", "refs", "form", "takes"])
def test_a_page_of_speak_on_a_small_screen(
    snap_compare: Any, make_app: Make, world: FakeWorld, page: str
) -> None:
    app = make_app(world, start="speak")

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        await app.screen.run_action(f"page('{page}')")
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_a_take_at_work(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="speak")
    world.gate.clear()

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        app.screen.query_one("#words", TextArea).text = WORDS
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(take.sentences for take in app.state.takes.values()))
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


def test_trimming_a_recording(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="speak")

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        await pilot.press("a")
        await until(pilot, lambda: bool(app.screen.query("#path")))
        app.screen.query_one("#path", Input).value = "memo.wav"
        app.screen.query_one("#path", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.query_one("#trim").has_focus)
        await pilot.press("right", "right", "L")
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=(120, 36), run_before=before)


@pytest.mark.parametrize("look", LOOKS)
def test_audition(snap_compare: Any, make_app: Make, world: FakeWorld, look: str) -> None:
    size, settings = look_of(look)
    app = make_app(world, start="audition", **settings)

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        await until(pilot, lambda: app.screen.query_one("#cells", DiffTable).row_count > 0)
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", [(120, 36), (60, 16)], ids=["wide", "small"])
def test_a_new_audition(
    snap_compare: Any, make_app: Make, world: FakeWorld, size: tuple[int, int]
) -> None:
    app = make_app(world, start="audition")

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        await pilot.press("ctrl+s")
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=size, run_before=before)


def test_a_blind_comparison(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="audition")

    async def before(pilot: Pilot[None]) -> None:
        await at_mika(pilot, app, world)
        audition = app.state.auditions["lab-a100/Mika"]
        vote = BlindVoteScreen(audition, make_comparisons(audition, Random(7)))
        app.push_screen(vote)
        await until(pilot, lambda: vote._playing_side == "a")
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("shown", ["speak", "audition"])
def test_empty(snap_compare: Any, make_app: Make, shown: str, language: str) -> None:
    app = make_app(make_world(empty=True), start=shown, language=language)

    async def before(pilot: Pilot[None]) -> None:
        empty = "-empty" if shown == "speak" else "-no-voice"
        await until(pilot, lambda: app.screen.has_class(empty))
        await calm(pilot, app)

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)
