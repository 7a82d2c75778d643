"""The first start: paste a line or try it here; and what comes next is always named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pilot_waits import settled, until
from textual import events
from textual.widgets import Input, Static

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.add_server import AddServerScreen
from sovdeck.tui.services.fakes.services import fake_services_over, make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.settings import DashboardSettings, load_settings
from sovdeck.tui.state.next_step import next_step
from sovdeck.tui.state.server_models import SavedServer
from sovdeck.tui.state.state import State

Make = Callable[..., SovdeckApp]


async def test_a_pasted_line_opens_the_form_with_it(make_app: Make) -> None:
    app = make_app(make_world(empty=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.has_class("-empty"))
        app.screen.post_message(events.Paste("ssh -p 40022 root@gpu9.example.net\n"))
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen))
        assert app.screen.query_one("#line", Input).value == "ssh -p 40022 root@gpu9.example.net"
        await until(pilot, lambda: app.screen.query_one("#name", Input).value == "gpu9")
        assert "40022" in str(app.screen.query_one("#reading", Static).content)


@pytest.mark.parametrize("way", ["key", "click"])
async def test_trying_it_here_ends_on_the_run(make_app: Make, way: str) -> None:
    world = make_world(empty=True)
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.has_class("-empty"))
        if way == "key":
            await pilot.press("t")
        else:
            await pilot.click("#try")
        await until(pilot, lambda: app.current_mode == "monitor", "the run on screen")
        assert app.state.run == ("demo", "demo-1") and world.calls.count("practice") == 1


async def test_what_is_lacking_for_a_trial_is_said(make_app: Make) -> None:
    world = make_world(empty=True)
    app = make_app(world)
    app.services.practice.problem = Problem(  # type: ignore[union-attr]
        "tui.demo.not_installed", ExitCode.CONFIG, names="torch"
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.has_class("-empty"))
        await pilot.press("t")
        await until(pilot, lambda: bool(app.state.notices), "the reason")
        assert "torch" in app.state.notices[0].text.en and app.current_mode == "servers"
        assert len(app._notifications) == 1, "nothing says that it begins"


async def test_with_servers_saved_nothing_is_tried_by_a_slip(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        await pilot.press("t")
        assert "practice" not in world.calls


async def test_the_next_step_is_named_all_the_way(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        state = app.state
        assert next_step(state, "tokyo-4090") == "tui.servers.next_watch"
        assert next_step(state, "lab-a100") == "tui.servers.next_download"
        assert next_step(state, "night-spot") is None
        tokyo = state.servers["tokyo-4090"]
        assert tokyo.facts is not None
        bare = replace(tokyo, facts=replace(tokyo.facts, deployed=None))
        fresh = replace(state, servers={"tokyo-4090": bare}, runs={})
        assert next_step(fresh, "tokyo-4090") == "tui.servers.next_deploy"
        ready = replace(state, runs={})
        assert next_step(ready, "tokyo-4090") == "tui.servers.next_dataset"
        checked = replace(ready, dataset=world.dataset.report(Path("/data/ATRI")))
        assert next_step(checked, "tokyo-4090") == "tui.servers.next_train"
        home = tuple(replace(voice, safe=True) for voice in world.voices["lab-a100"])
        kept = replace(state, voices={"lab-a100": home})
        assert next_step(kept, "lab-a100") == "tui.servers.next_speak"
        assert next_step(State(), "nobody") is None


async def test_the_last_screen_is_remembered_and_an_unknown_one_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    app = SovdeckApp(
        fake_services_over(make_world()), settings=DashboardSettings(), settings_path=path
    )
    async with app.run_test() as pilot:
        await pilot.press("4")
        await until(pilot, lambda: app.current_mode == "train")
    assert load_settings(path).screen == "train"
    assert SovdeckApp(fake_services_over(make_world()), start="cellar").start_screen == "servers"


async def test_the_server_on_this_computer_does_not_hide_the_ways_in(make_app: Make) -> None:
    world = make_world(empty=True)
    world.saved = [SavedServer("local", "")]
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "local" in app.state.servers)
        assert app.screen.has_class("-empty")
        await pilot.press("o")
        assert not app.screen.has_class("-empty")
        await pilot.press("t")
        assert "practice" not in world.calls
