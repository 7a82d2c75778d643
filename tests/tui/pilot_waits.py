"""Waiting for the dashboard without sleeping: by what must become true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from textual._compositor import LayoutUpdate
from textual.pilot import Pilot
from textual.strip import Strip

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.run import LIVE_RUN
from sovdeck.tui.services.fakes.world import FakeWorld

LIMIT_S = 60.0  # far more than a busy machine needs


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str = "") -> None:
    """Let the app work until `condition` holds; fail with what was waited for."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        await pilot.pause(0.01)
        if condition():
            await pilot.pause()
            return
    raise AssertionError(f"waited in vain for {what or condition}")


async def settled(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> None:
    """Until every watch has reported all it knows and the screen has drawn it."""

    def ready() -> bool:
        names = {server.name for server in world.saved} | {LIVE_RUN}
        return world.reported >= names and app.controller.idle and app.state.chosen_run is not None

    await until(pilot, ready, "the made-up world")
    for _ in range(3):
        await pilot.pause()


async def drawn(pilot: Pilot[None]) -> None:
    """Until the screen looks the same twice: what is shown is drawn in the screen's own task."""
    before: list[Iterable[Strip]] = []
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        await pilot.pause(0.1)
        update = pilot.app.screen._compositor.render_update(
            full=True, screen_stack=pilot.app._background_screens, simplify=True
        )
        assert isinstance(update, LayoutUpdate)
        shown = update.strips  # what a picture is made of, at a tenth of its cost
        if shown == before:
            return
        before = shown
    raise AssertionError("the screen never comes to rest")
