"""Offers after a log-in are asked in the dashboard's own way; a run's end is told elsewhere too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import pytest
from pilot_waits import settled, until

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.messages import PromptRequested
from sovdeck.tui.state.models import RunEnd
from sovdeck.tui.state.prompts import OfferPrompt

Make = Callable[..., SovdeckApp]


@pytest.mark.parametrize(
    ("offer", "key", "answer"),
    [("key", "y", True), ("keyring", "n", False), ("keyring", "escape", False)],
    ids=["key", "keyring", "escape"],
)
async def test_an_offer_is_answered_with_one_key(
    make_app: Make, world: FakeWorld, offer: str, key: str, answer: bool
) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        given: Future[bool] = Future()
        app.post_message(PromptRequested(OfferPrompt("lab", offer), given))  # type: ignore[arg-type]
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "lab" in str(app.screen.query_one(".question").content)  # type: ignore[attr-defined]
        await pilot.press(key)
        await until(pilot, given.done)
        assert given.result() is answer


async def test_a_runs_end_is_told_once_and_a_deaf_ear_is_a_notice(
    make_app: Make, world: FakeWorld
) -> None:
    reported: list[RunEnd] = []

    def spread(end: RunEnd, language: str) -> None:
        reported.append(end)
        raise Problem("remote.webhook.refused", ExitCode.REFUSED, name="team", status=404)

    app = make_app(world, start="monitor")
    app.services = replace(app.services, notify_run_ended=spread)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        assert reported == []  # runs that ended before the dashboard opened are old news
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y", "y")
        await until(pilot, lambda: bool(reported))
        await until(pilot, lambda: any("team" in one.text.en for one in app.state.notices))
        assert [(end.server, end.state) for end in reported] == [("tokyo-4090", "stopped")]
