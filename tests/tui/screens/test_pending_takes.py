"""A take asked for while the server still lists its weights: remembered, and spoken once."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pilot_waits import settled, until
from speak_pilot import go_to_mika, say, takes
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.speak.screen import SpeakScreen
from sovdeck.tui.services.fakes.world import FakeWorld

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


def asked(world: FakeWorld) -> list[dict[str, Any]]:
    """The parameters of everything the server was asked to speak."""
    return [
        ast.literal_eval(call.split(" ", 3)[3]) for call in world.calls if call.startswith("speak ")
    ]


async def at_mika_without_weights(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> None:
    world.listing.clear()
    await go_to_mika(pilot, app, world, "6")
    await until(pilot, lambda: "voice assets lab-a100 Mika" in world.calls, "the question")


@asynccontextmanager
async def one_waiting(app: SovdeckApp, world: FakeWorld) -> AsyncIterator[Pilot[None]]:
    """The app, with a take asked for before the weights are listed."""
    async with app.run_test(size=SIZE) as pilot:
        await at_mika_without_weights(pilot, app, world)
        await say(pilot, app, "一。")
        await until(pilot, lambda: bool(takes(app)))
        yield pilot


async def why_it_failed(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> str:
    """Let the list come; what the take's end says then."""
    world.listing.set()
    await until(pilot, lambda: takes(app)[0].state == "failed", "its end")
    why = takes(app)[0].why
    assert why is not None
    return why.text.en


async def test_it_is_spoken_once_with_the_newest_words(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika_without_weights(pilot, app, world)
        await say(pilot, app, "一。")
        await until(
            pilot, lambda: [take.awaits_weights for take in takes(app)] == [True], "it waits"
        )
        now = app.screen.query_one("#now", Static)
        assert now.display and "once the server has listed its weights" in str(now.content)
        assert app.screen.query_one("#gpt").border_subtitle == "being listed"
        await say(pilot, app, "二。")
        await until(pilot, lambda: takes(app)[0].draft.params["text"] == "二。", "the new words")
        app.screen.query_one("#words", TextArea).text = "三。"  # typed, not asked for
        world.listing.set()
        await until(pilot, lambda: takes(app)[0].state == "done", "the take")
        assert len(takes(app)) == len(asked(world)) == 1
        params = asked(world)[0]
        assert params["text"] == "二。" and params["text_lang"] == "ja"
        assert params["gpt_weight"] == "Mika-e15.ckpt" and params["ref_audio"]
        assert app.screen.query_one("#words", TextArea).text == "三。"


async def test_it_can_be_taken_back(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with one_waiting(app, world) as pilot:
        await pilot.press("escape", "x")
        await until(pilot, lambda: takes(app)[0].state == "cancelled", "taken back")
        world.listing.set()
        await until(pilot, lambda: "lab-a100/Mika" in app.state.voice_assets, "the weights")
        assert asked(world) == []
        await pilot.press("ctrl+s")
        await until(pilot, lambda: takes(app)[-1].state == "done", "asked for anew")
        assert len(asked(world)) == 1


async def test_it_is_spoken_also_when_the_screen_was_left(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with one_waiting(app, world) as pilot:
        await pilot.press("escape", "2")
        await until(pilot, lambda: app.current_mode == "monitor")
        world.listing.set()
        await until(pilot, lambda: takes(app)[0].state == "done", "the take")
        await pilot.press("6")
        await until(pilot, lambda: isinstance(app.screen, SpeakScreen))
        assert len(asked(world)) == 1


async def test_another_voice_of_the_server_waits_for_its_turn(
    make_app: Make, world: FakeWorld
) -> None:
    beside = replace(world.voices["lab-a100"][0], server="tokyo-4090")
    world.voices = {"tokyo-4090": (*world.voices["tokyo-4090"], beside)}
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        world.listing.clear()
        await settled(pilot, app, world)
        await pilot.press("6")
        await until(pilot, lambda: len(app.state.all_voices()) == 2, "both voices")
        await say(pilot, app, "一。")
        await until(pilot, lambda: bool(takes(app)))
        await pilot.press("escape", "right_square_bracket")
        await until(pilot, lambda: app.state.voice == ("tokyo-4090", "Mika"), "the other voice")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(app._notifications), "that it is not its turn")
        assert [take.draft.voice for take in takes(app)] == ["ATRI"]


async def test_a_list_that_does_not_come_ends_it_with_the_reason(
    make_app: Make, world: FakeWorld
) -> None:
    world.voice_assets_problem = Problem(
        "tui.notices.nothing_found", ExitCode.UNREACHABLE, word="x"
    )
    app = make_app(world)
    async with one_waiting(app, world) as pilot:
        assert "x" in await why_it_failed(pilot, app, world)
        assert app.screen.query_one("#gpt").border_subtitle == "not listed: r asks again"
        world.voice_assets_problem = None
        await pilot.press("ctrl+s")
        await until(pilot, lambda: takes(app)[-1].state == "done", "asked again by itself")
        assert len(takes(app)) == 2 and len(asked(world)) == 1


async def test_a_voice_without_weights_says_so(make_app: Make, world: FakeWorld) -> None:
    world.voice_assets.clear()
    app = make_app(world)
    async with one_waiting(app, world) as pilot:
        assert "SoVITS" in await why_it_failed(pilot, app, world)
        assert asked(world) == []
