"""The first steps in the screens about a voice, for tests that drive the dashboard by keys."""

from __future__ import annotations

from pilot_waits import settled, until
from textual.pilot import Pilot
from textual.widgets import TextArea

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.speech_models import TakeRow

MIKA = ("lab-a100", "Mika")


def takes(app: SovdeckApp) -> list[TakeRow]:
    return list(app.state.takes.values())


async def go_to_mika(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld, key: str) -> None:
    """Open a screen by its key and go to the voice that has everything."""
    await settled(pilot, app, world)
    await pilot.press(key)
    await until(pilot, lambda: len(app.state.all_voices()) == 2, "both voices")
    await pilot.press("escape", "right_square_bracket")
    await until(pilot, lambda: app.state.voice == MIKA, "the other voice")


async def say(pilot: Pilot[None], app: SovdeckApp, words: str) -> None:
    area = app.screen.query_one("#words", TextArea)
    area.focus()
    area.text = words
    await pilot.pause()
    await pilot.press("ctrl+s")
