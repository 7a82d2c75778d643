"""Pictures of the screens. A wanted change is taken with `pytest tests/tui --snapshot-update`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pilot_waits import drawn, settled, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from sovdeck.tui.charts.line_chart import LineChart
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.deploy import DeployScreen
from sovdeck.tui.screens.dialogs.add_server import AddServerScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.widgets.clip_list import ClipList
from sovdeck.tui.widgets.log_view import LogView
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.param_field import ParamField

Make = Callable[..., SovdeckApp]
Before = Callable[[Pilot[None]], Awaitable[None]]
SCREENS = ("servers", "monitor", "voices", "train", "dataset", "logs", "settings")
LOOKS: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "wide-night": ((120, 36), {}),
    "normal-night": ((80, 24), {}),
    "small-zh": ((60, 16), {"language": "zh"}),
}
CASES = [(screen, look) for screen in SCREENS for look in LOOKS] + [
    ("monitor", "wide-day"),
    ("servers", "wide-day"),
    ("monitor", "wide-sixteen"),
    ("servers", "wide-sixteen"),
    ("monitor", "wide-clear"),
    ("monitor", "normal-ascii"),
    ("train", "wide-day"),
    ("train", "wide-sixteen"),
    ("settings", "wide-day"),
    ("settings", "wide-sixteen"),
]
LOOKS |= {
    "wide-day": ((120, 36), {"theme": "day"}),
    "wide-zh": ((120, 36), {"language": "zh"}),
    "wide-sixteen": ((120, 36), {"theme": "sixteen"}),
    "wide-clear": ((120, 36), {"theme": "clear"}),
    "normal-ascii": ((80, 24), {"marker": "ascii", "log_scale": True}),
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def still(app: SovdeckApp, world: FakeWorld, more: Before | None = None) -> Before:
    async def before(pilot: Pilot[None]) -> None:
        await settled(pilot, app, world)
        if app.current_mode == "voices":
            await until(pilot, lambda: len(app.state.all_voices()) == 2)
        if app.current_mode == "train":
            await until(pilot, lambda: app.state.plan is not None)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        if more is not None:
            await more(pilot)
        await until(
            pilot, lambda: all(map(is_at_its_end, app.screen.query(LogView))), "log at its end"
        )
        await drawn(pilot)

    return before


def is_at_its_end(log: LogView) -> bool:
    if not log.is_on_screen or len(log.lines) <= log.size.height:
        return True
    return log.scroll_offset.y == log.max_scroll_y == log.vertical_scrollbar.position > 0


@pytest.mark.parametrize(("screen", "look"), CASES, ids=[f"{s}-{n}" for s, n in CASES])
def test_screen(
    snap_compare: Any, make_app: Make, world: FakeWorld, screen: str, look: str
) -> None:
    size, settings = LOOKS[look]
    app = make_app(world, start=screen, **settings)
    assert snap_compare(app, terminal_size=size, run_before=still(app, world))


@pytest.mark.parametrize(
    "look", ["wide-night", "wide-day", "wide-sixteen", "normal-night", "small-zh"]
)
def test_the_first_start_says_what_to_do(snap_compare: Any, make_app: Make, look: str) -> None:
    size, settings = LOOKS[look]
    app = make_app(make_world(empty=True), **settings)

    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.screen.has_class("-empty"))

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize(
    "look", ["wide-night", "wide-day", "wide-sixteen", "wide-zh", "normal-night", "small-zh"]
)
def test_proofreading(snap_compare: Any, make_app: Make, world: FakeWorld, look: str) -> None:
    size, settings = LOOKS[look]
    app = make_app(world, start="dataset", dataset="/data/ATRI", **settings)

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.focused, ClipList))
        await pilot.press("n", "n", "n", "n")
        await until(pilot, lambda: app.state.playing is not None)

    assert snap_compare(app, terminal_size=size, run_before=still(app, world, more))


@pytest.mark.parametrize("look", ["normal-night", "small-zh"])
def test_what_the_data_is_worth(
    snap_compare: Any, make_app: Make, world: FakeWorld, look: str
) -> None:
    size, settings = LOOKS[look]
    app = make_app(world, start="dataset", dataset="/data/ATRI", **settings)

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.state.dataset is not None)

    assert snap_compare(app, terminal_size=size, run_before=still(app, world, more))


def test_a_recipe_and_a_field_explained(
    snap_compare: Any, make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")

    async def more(pilot: Pilot[None]) -> None:
        app.screen.query_one("#recipe", OptionStepper).value = "beginner"
        await until(pilot, lambda: app.screen.query_one("#field-sovits-epochs", ParamField).changed)
        app.screen.query_one("#field-sovits-epochs", ParamField).query_one(Input).focus()
        await until(pilot, lambda: not app.controller.tasks.is_running("plan"))

    assert snap_compare(app, terminal_size=(120, 36), run_before=still(app, world, more))


def test_a_download_under_the_table(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="voices")

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("j", "d")
        await until(pilot, lambda: any(v.safe for v in app.state.all_voices()))
        epochs = app.screen.query_one("#checkpoints", Static)
        await until(pilot, lambda: "loss –" not in str(epochs.content), "the run's losses")
        app.clear_notifications()

    assert snap_compare(app, terminal_size=(120, 36), run_before=still(app, world, more))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_choosing_runs_to_compare(
    snap_compare: Any, make_app: Make, world: FakeWorld, language: str
) -> None:
    app = make_app(world, start="monitor", language=language)

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("o", "space")
        charts = app.screen_stack[0].query(LineChart)
        await until(pilot, lambda: all(chart.curves for chart in charts), "the other run")

    assert snap_compare(app, terminal_size=(100, 30), run_before=still(app, world, more))


@pytest.mark.parametrize("size", [(100, 30), (60, 16)])
def test_rent_offers(
    snap_compare: Any, make_app: Make, world: FakeWorld, size: tuple[int, int]
) -> None:
    app = make_app(world)

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: bool(app.state.offers.offers), "the offers")

    assert snap_compare(app, terminal_size=size, run_before=still(app, world, more))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_rent_journey(snap_compare: Any, make_app: Make, world: FakeWorld, language: str) -> None:
    app = make_app(world, language=language)

    def is_training() -> bool:
        return app.state.journey is not None and app.state.journey.station == "train"

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: bool(app.state.offers.offers), "the offers")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the question")
        await pilot.press("y")
        await until(pilot, is_training, "the stations")
        await until(pilot, lambda: bool(app.state.leases), "what is rented")

    assert snap_compare(app, terminal_size=(100, 30), run_before=still(app, world, more))


def test_add_server(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen))
        for field in app.screen.query(Input):
            field.cursor_blink = False
        app.screen.query_one("#line", Input).value = "ssh -p 40022 root@gpu9.example.net"

    assert snap_compare(app, terminal_size=(80, 24), run_before=still(app, world, more))


def test_deploy_plan(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DeployScreen))
        await until(pilot, lambda: "tokyo-4090" in app.state.deploys)

    assert snap_compare(app, terminal_size=(80, 24), run_before=still(app, world, more))


def test_help(snap_compare: Any, make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor")

    async def more(pilot: Pilot[None]) -> None:
        await pilot.press("f1")

    assert snap_compare(app, terminal_size=(120, 36), run_before=still(app, world, more))
