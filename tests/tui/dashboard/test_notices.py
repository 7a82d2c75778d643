"""How a run's end and a copied text leave the dashboard: note, bell, desktop, clipboard."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from pilot_waits import settled, until
from textual.containers import VerticalScroll

from sovdeck.engine.contract.catalogue import Text
from sovdeck.tui.dashboard import app as dashboard
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.notices import NoticesScreen
from sovdeck.tui.services.fakes.services import FakeWorld
from sovdeck.tui.state.events import NoticeRaised
from sovdeck.tui.widgets.steady_text import SteadyText

Make = Callable[..., SovdeckApp]


async def written(
    make_app: Make, world: FakeWorld, monkeypatch: pytest.MonkeyPatch, way: str
) -> tuple[list[str], int]:
    """What the terminal was sent beside pictures while a run ended, and the notes on screen."""
    app = make_app(world, start="monitor", notify=way)
    sent: list[str] = []
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await settled(pilot, app, world)
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", sent.append)
        monkeypatch.setattr(app, "bell", lambda: sent.append("\x07"))
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y", "y")
        await until(pilot, lambda: len(app._notifications) > 0, "the note")
        return sent, len(app._notifications)


@pytest.mark.parametrize(
    ("way", "mark"),
    [("bell", "\x07"), ("desktop", "\x1b]9;ATRI on tokyo-4090: stopped.\x07")],
    ids=["bell", "desktop"],
)
async def test_a_runs_end_is_told_in_the_chosen_way(
    make_app: Make, world: FakeWorld, monkeypatch: pytest.MonkeyPatch, way: str, mark: str
) -> None:
    sent, notes = await written(make_app, world, monkeypatch, way)
    assert mark in sent and notes == 1


async def test_a_note_alone_makes_no_noise(
    make_app: Make, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, notes = await written(make_app, world, monkeypatch, "toast")
    assert "\x07" not in sent and notes == 1


async def test_what_is_copied_goes_both_ways(
    make_app: Make, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_tool: list[str] = []
    monkeypatch.setattr(dashboard, "copy_with_system_tool", by_tool.append)
    app = make_app(world)
    sent: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", sent.append)
        app.copy_text("voices/Mika 声音")
        code = base64.b64encode("voices/Mika 声音".encode()).decode()
        assert f"\x1b]52;c;{code}" in "".join(sent)
        await until(pilot, lambda: by_tool == ["voices/Mika 声音"], "the system's own tool")


async def test_f9_shows_what_was_said_with_its_advice(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        await pilot.press("f9")
        assert isinstance(app.screen, NoticesScreen)
        sheet = app.screen.query_one(VerticalScroll)
        await until(pilot, lambda: len(sheet.children) == 2, "that nothing was said")
        await pilot.press("f9")
        assert not isinstance(app.screen, NoticesScreen)
        for at, name in enumerate(("first", "[/nope] second")):
            advice = Text("Do this.", "这样做。")
            app.controller.emit(NoticeRaised("bad", Text(name, name), at, advice))
        await until(pilot, lambda: len(app.state.notices) == 2, "the notices")
        await pilot.press("f9")
        lines = [str(line.content) for line in app.screen.query(".notice").results(SteadyText)]
        assert [line.split("  ")[1] for line in lines] == [
            "[/nope] second\nDo this.",
            "first\nDo this.",
        ]
        await pilot.press("escape")
        assert not isinstance(app.screen, NoticesScreen)
