"""A dashboard on a made-up, still world."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.services import fake_services_over, make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.settings import DashboardSettings


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Textual runs on asyncio."""
    return "asyncio"


@pytest.fixture
def world() -> FakeWorld:
    return make_world()


@pytest.fixture
def make_app() -> Callable[..., SovdeckApp]:
    def make(world: FakeWorld, *, start: str = "servers", **settings: object) -> SovdeckApp:
        chosen = {"language": "en", "theme": "night", **settings}
        app = SovdeckApp(
            fake_services_over(world), settings=DashboardSettings(**chosen), start=start
        )
        app.animation_level = "none"
        app.repaint_interval_s = 0.03
        return app

    return make
