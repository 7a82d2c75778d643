"""A timer that was to come once comes, also where the computer was busy as it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from pilot_waits import settled, until
from textual import timer as timer_module

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.composed_screen import ComposedScreen
from sovdeck.tui.screens.speak.reading_line import ReadingLine
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.reliable_timers import ReliableTimers


@pytest.mark.parametrize("place", ["app", "screen", "widget"])
async def test_a_late_timer_is_called_all_the_same(
    make_app: Callable[..., SovdeckApp],
    world: FakeWorld,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=(130, 40)) as pilot:
        await settled(pilot, app, world)
        assert isinstance(app.screen, ComposedScreen)
        owner: dict[str, ReliableTimers] = {
            "app": app,
            "screen": app.screen,
            "widget": app.screen.query_one(ReadingLine),
        }
        called: list[str] = []
        timers = [owner[place].set_timer(0.01, lambda: called.append(place))]
        real = timer_module._time.get_time

        def look() -> float:
            """The timer took its start a second before it looks at the clock again."""
            begins = bool(timers) and asyncio.current_task() is timers[0]._task
            return real() - 1.0 if begins and timers.pop() else real()

        with monkeypatch.context() as busy:
            busy.setattr(timer_module._time, "get_time", look)
            await until(pilot, lambda: not timers)
        await pilot.pause(0.1)
    assert called == [place]
