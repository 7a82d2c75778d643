"""Other runs laid under the one on show: which ones is the person's choice, from any view."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import settled, until
from textual.pilot import Pilot

from sovdeck.tui.charts.line_chart import LineChart
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.compare_runs import CompareRunsScreen
from sovdeck.tui.screens.monitor.screen import MonitorScreen
from sovdeck.tui.services.fakes.run import ENDED_RUN, LIVE_RUN, running_run
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.widgets.diff_table import DiffTable

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)
OLDER = "1120-1800-atri"


def with_a_third_run(world: FakeWorld) -> None:
    world.jobs["lab-a100"] += (JobStatus("lab-a100", OLDER, "succeeded", "ATRI", 0),)
    world.streams[OLDER] = running_run(world.now(), OLDER)


def names(app: SovdeckApp) -> list[str]:
    """The curves of the SoVITS chart."""
    return [curve.name for curve in app.screen_stack[0].query(LineChart)[0].curves]


async def at_the_chooser(
    pilot: Pilot[None], app: SovdeckApp, world: FakeWorld
) -> CompareRunsScreen:
    await settled(pilot, app, world)
    await until(pilot, lambda: len(app.state.runs) == 3, "all runs")
    await pilot.press("o")
    await until(pilot, lambda: isinstance(app.screen, CompareRunsScreen), "the chooser")
    assert isinstance(app.screen, CompareRunsScreen)
    return app.screen


async def test_ticked_runs_are_drawn_at_once_and_taken_away_again(
    make_app: Make, world: FakeWorld
) -> None:
    with_a_third_run(world)
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        chooser = await at_the_chooser(pilot, app, world)
        # The run of the same voice comes first, though another is newer.
        assert chooser.table.keys == [f"lab-a100/{OLDER}", f"lab-a100/{ENDED_RUN}"]
        await pilot.press("j", "space")
        await until(pilot, lambda: ENDED_RUN in names(app), "the ticked run")
        assert not any(OLDER in name for name in names(app))
        await pilot.press("k", "enter")
        await until(pilot, lambda: any(OLDER in name for name in names(app)), "the second")
        charts = app.screen_stack[0].query(LineChart)
        for chart in charts:
            colours = [curve.colour for curve in chart.curves]
            assert len(set(colours)) == len(colours)
        await pilot.press("escape", "o", "space")
        await until(pilot, lambda: not any(OLDER in name for name in names(app)), "taken away")
        assert ENDED_RUN in names(app)


async def test_a_third_tick_takes_the_place_of_the_oldest(make_app: Make, world: FakeWorld) -> None:
    with_a_third_run(world)
    more = "1119-1800-atri"
    world.jobs["lab-a100"] += (JobStatus("lab-a100", more, "failed", "ATRI", 1),)
    world.streams[more] = []
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(app.state.runs) == 4, "all runs")
        await pilot.press("o", "space", "j", "space", "j", "space", "q")
        assert isinstance(app.screen, MonitorScreen)
        assert [run for _, run in app.screen.compared] == [more, ENDED_RUN]


async def test_the_parts_of_a_loss_give_way_to_compared_runs(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#chart-sovits").focus()
        await pilot.press("m")
        await until(pilot, lambda: "mel" in names(app), "the parts")
        await pilot.press("o", "escape")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert "mel" in names(app)
        await pilot.press("o", "space")
        await until(pilot, lambda: ENDED_RUN in names(app), "the other run")
        assert "loss" in names(app) and "mel" not in names(app)
        await pilot.press("escape", "m")
        await until(pilot, lambda: "mel" in names(app), "the parts again")
        assert ENDED_RUN not in names(app)


async def test_the_run_on_show_is_never_laid_under_itself(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("o", "space", "escape", "right_square_bracket")
        await until(pilot, lambda: app.state.run == ("lab-a100", ENDED_RUN), "the other run")
        assert not any(ENDED_RUN in name for name in names(app))
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, CompareRunsScreen), "the chooser")
        assert app.screen.query_one(DiffTable).keys == [f"tokyo-4090/{LIVE_RUN}"]
