"""What the dashboard shows when a run or its line is in trouble; on a made-up world, no sleeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pilot_waits import settled, until
from textual.widgets import Static

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.run import LIVE_RUN
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.state.server_models import ServerState

Make = Callable[..., SovdeckApp]
SERVER, SIZE = "tokyo-4090", (120, 36)


def drawn(app: SovdeckApp) -> str:
    """All text on the screen, a row a line."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


def further(world: FakeWorld, *reported: tuple[str, dict[str, object]]) -> ev.RunEvents:
    """Events that follow what the made-up run has told."""
    last = world.streams[LIVE_RUN][-1]
    events = [
        Event(last.seq + n, last.t + 1000 * n, LIVE_RUN, type_, 1, "sovits", payload)
        for n, (type_, payload) in enumerate(reported, 1)
    ]
    return ev.RunEvents(SERVER, LIVE_RUN, tuple(events), world.now())


def words_of(key: str, **facts: object) -> dict[str, object]:
    problem = Problem(key, ExitCode.MEMORY, **facts)
    as_json = problem.as_json()
    return {"code": key, "message": as_json["message"], "hint": as_json["hint"]}


async def test_memory_running_out_is_shown_with_what_was_done_and_then_what_to_do(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        assert "16" in drawn(app) and "12" in drawn(app)
        too_large = words_of(
            "engine.training.out_of_memory", stage="sovits", batch=1, clips="000173.wav"
        )
        over = {"status": "failed", "exit_code": int(ExitCode.MEMORY), "exports": []}
        app.controller.emit(further(world, ("error", too_large), ("run_finished", over)))
        job = JobStatus(SERVER, LIVE_RUN, "failed", "ATRI", int(ExitCode.MEMORY))
        app.controller.emit(ev.JobSeen(job, world.now()))
        await until(pilot, lambda: "000173.wav" in drawn(app), "the clip that does not fit")
        assert "failed" in drawn(app).lower() and "code 4" in drawn(app)
        assert any("ATRI" in note.message for note in app._notifications)


@pytest.mark.parametrize("size", [(130, 40), (80, 24), (60, 16)], ids=lambda size: str(size[0]))
async def test_why_a_run_failed_is_wrapped_and_never_cut(
    make_app: Make, world: FakeWorld, size: tuple[int, int]
) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=size) as pilot:
        await settled(pilot, app, world)
        assert not app.screen.query_one("#failure", Static).display
        words = words_of(
            "engine.training.out_of_memory", stage="sovits", batch=1, clips="000173.wav"
        )
        over = {"status": "failed", "exit_code": int(ExitCode.MEMORY), "exports": []}
        app.controller.emit(further(world, ("error", words), ("run_finished", over)))
        await until(pilot, lambda: app.screen.query_one("#failure", Static).display, "the reason")
        whole = f"{words['message']['en']} {words['hint']['en']}"  # type: ignore[index]
        assert len(whole) > 80, "it takes more than a line"
        await until(pilot, lambda: whole in " ".join(drawn(app).split()), "every word of it")


async def test_a_full_disk_on_the_server_says_that_training_waits(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        waits = words_of("engine.training.disk_full", why="No space left on device")
        app.controller.emit(further(world, ("warning", waits)))
        await until(pilot, lambda: "training waits" in drawn(app), "the warning")
        assert app.state.chosen_run is not None and not app.state.chosen_run.ended


async def test_a_full_disk_here_leaves_the_download_to_go_on_later(
    make_app: Make, world: FakeWorld
) -> None:
    world.pull_problem = Problem(
        "remote.transfer.no_space", ExitCode.DATA, path="voices", need="232 MB", free="12 MB"
    )
    app = make_app(world, start="voices")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: len(app.state.all_voices()) == 2)
        await pilot.press("d")
        await until(pilot, lambda: any(t.state == "failed" for t in app.state.transfers.values()))
        assert "232 MB" in str(app.screen.query_one("#transfers", Static).content)
        world.pull_problem = None
        await pilot.press("d")
        await until(pilot, lambda: any(v.safe for v in app.state.all_voices()), "the second try")


async def test_a_lost_line_is_drawn_as_lost_and_its_figures_get_an_age(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        assert "ago" not in drawn(app)
        app.controller.emit(ev.ConnectionChanged(SERVER, "offline", world.now()))

        def aged() -> bool:  # each time anew, since the dashboard's own clock goes on ticking
            app.controller.emit(ev.ClockTicked(world.now() + 90_000))
            return "ago" in drawn(app)

        await until(pilot, aged, "the age of what is on screen")
        assert app.state.chosen_run is not None
        assert app.state.chosen_run.status == "running"  # nobody has said otherwise
        await pilot.press("1")
        await until(pilot, lambda: app.current_mode == "servers")
        await until(
            pilot,
            lambda: "offline" in drawn(app).lower() or "OFF" in drawn(app),
            "the word for the link",
        )
        app.controller.emit(ev.ConnectionChanged(SERVER, "up", world.now() + 91_000))
        app.controller.emit(ev.ClockTicked(world.now() + 91_000))
        await until(pilot, lambda: _server(app).connection == "up")


def _server(app: SovdeckApp) -> ServerState:
    return app.state.servers[SERVER]
