"""Waiting for the dashboard without sleeping: by what must become true."""

from __future__ import annotations

from collections.abc import Callable

from textual.pilot import Pilot

from tui.app import SovdeckApp

PAUSES = 400


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str = "") -> None:
    """Let the app work until `condition` holds; fail with what was waited for."""
    for _ in range(PAUSES):
        await pilot.pause(0.01)
        if condition():
            await pilot.pause()
            return
    raise AssertionError(f"waited in vain for {what or condition}")


async def settled(pilot: Pilot[None], app: SovdeckApp) -> None:
    """Until every fake has told all it knows and the screen has drawn it."""
    count = len(app.services.servers.world.saved)  # type: ignore[attr-defined]
    jobs = len(app.services.servers.world.jobs)  # type: ignore[attr-defined]

    def ready() -> bool:
        state = app.state
        told = state.chosen_run is not None and bool(state.chosen_run.log)
        return len(state.servers) == count and len(state.runs) >= jobs and told

    await until(pilot, ready, "the made-up world")
    for _ in range(3):
        await pilot.pause()
