"""A dashboard on a made-up, still world."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

import pytest

from tui.app import SovdeckApp
from tui.services.fake_world import FakeWorld
from tui.services.fakes import make_world, services_of
from tui.settings import Settings


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run coroutine tests; Pilot needs nothing more of a plugin than this."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def world() -> FakeWorld:
    return make_world()


@pytest.fixture
def make_app() -> Callable[..., SovdeckApp]:
    def make(world: FakeWorld, *, start: str = "servers", **settings: object) -> SovdeckApp:
        chosen = {"language": "en", "theme": "night", **settings}
        app = SovdeckApp(services_of(world), settings=Settings(**chosen), start=start)
        app.animation_level = "none"
        app.paint_every = 0.03
        return app

    return make
