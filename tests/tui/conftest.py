"""A dashboard on a made-up, still world."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.services import fake_services_over, make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.settings import DashboardSettings


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Textual runs on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def _style_sheets_parsed_once() -> Iterator[None]:
    """Textual parses every widget's style sheet anew, several times for each app that starts."""
    parsed: dict[object, list[RuleSet]] = {}
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, css: str, **place: Any) -> list[RuleSet]:
        # The colours of a theme are variables of the rules.
        key = (css, frozenset(place.items()), frozenset(sheet._variables.items()))
        if key not in parsed:
            parsed[key] = parse(sheet, css, **place)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


@pytest.fixture
def world() -> FakeWorld:
    return make_world()


@pytest.fixture
def make_app() -> Callable[..., SovdeckApp]:
    def make(world: FakeWorld, *, start: str = "servers", **settings: object) -> SovdeckApp:
        # As `App.run` does and Textual's pilot does not: widgets may then be there before the
        # screen is the app's. The pictures' own test makes its loop later.
        if sys.version_info >= (3, 12):
            with suppress(RuntimeError):
                asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        chosen = DashboardSettings(language="en", theme="night").with_changes(**settings)
        app = SovdeckApp(fake_services_over(world), settings=chosen, start=start)
        app.animation_level = "none"
        app.repaint_interval_s = 0.03
        return app

    return make
