"""Ways a person goes through the dashboard, on a made-up world, by keys and without sleeps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest
from pilot_waits import drawn, settled, until
from textual.widgets import Button, Input, Static

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.charts.line_chart import LineChart
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.add_server import AddServerScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.screens.dialogs.ssh_prompts import HostKeyScreen
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.widgets.log_view import LogView
from sovdeck.tui.widgets.option_stepper import OptionStepper

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


def shown(app: SovdeckApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


async def test_from_a_pasted_line_to_a_voice_at_home(make_app: Make) -> None:
    world = make_world(empty=True)
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.screen.has_class("-empty"), "the empty state")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen))
        app.screen.query_one("#line", Input).value = "ssh -p 40022 root@gpu9.example.net"
        await until(pilot, lambda: "port 40022" in shown(app, "#reading"), "the line read back")
        assert app.screen.query_one("#name", Input).value == "gpu9"
        app.screen.query_one("#price", Input).value = "0.42 EUR"
        app.screen.query_one("#line", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen), "the host key question")
        assert "SHA256:" in shown(app, ".key")
        await pilot.click("#yes")
        await until(pilot, lambda: "gpu9" in app.state.servers, "the server saved")
        assert world.answers == [True]
        assert app.state.servers["gpu9"].saved.price_per_hour == 0.42

        await until(pilot, lambda: app.state.server == "gpu9")
        await pilot.press("d")
        await until(pilot, lambda: "gpu9" in app.state.deploys, "the plan")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        done = ("done", "skipped")
        await until(pilot, lambda: all(s.state in done for s in app.state.deploys["gpu9"]))
        await pilot.press("q")

        await pilot.press("5")
        await until(pilot, lambda: app.current_mode == "dataset")
        await drawn(pilot)  # keys before that go nowhere
        app.screen.query_one("#folder", Input).value = "/data/ATRI"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.state.dataset is not None, "the report")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "what stays behind")
        await pilot.press("y")
        await until(pilot, lambda: "push:gpu9" in app.state.transfers)

        app.action_go("train")
        await until(pilot, lambda: app.state.plan is not None, "the plan of the run")
        assert app.screen.query_one("#voice", Input).value == "ATRI"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: app.state.run == ("gpu9", "ATRI-1"), "the run on screen")
        await until(pilot, lambda: app.current_mode == "monitor", "it was launched")
        await until(pilot, lambda: bool(app.screen.query_one("#chart-sovits", LineChart).curves))

        from dataclasses import replace

        from sovdeck.tui.services.fakes.sample_data import MIKA

        world.voices["gpu9"] = (replace(MIKA, server="gpu9", name="ATRI"),)
        await pilot.press("3")
        await until(pilot, lambda: bool(app.state.all_voices()), "the voices")
        await pilot.press("d")
        await until(pilot, lambda: any(v.safe for v in app.state.all_voices()), "a safe copy")
        transfer = app.state.transfers["pull:gpu9/ATRI"]
        assert transfer.state == "done" and transfer.verified
        assert "safe to switch off" in shown(app, "#transfers")
        await pilot.press("D")
        await until(pilot, lambda: "pull gpu9 ATRI community" in world.calls, "the other layout")
    done_in_order = [call.split()[0] for call in world.calls if not call.startswith("voices")]
    wanted = ["add", "plan", "deploy", "check", "push", "plan", "train", "pull"]
    assert [key for key, _ in itertools.groupby(done_in_order)][:7] == wanted[:7]
    assert done_in_order.count("train") == 1
    assert done_in_order.count("pull") == 2


async def test_a_bad_line_is_refused_with_the_reason_and_nothing_is_dialled(make_app: Make) -> None:
    world = make_world(empty=True)
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen))
        app.screen.query_one("#line", Input).value = "ssh -p 99999 root@host"
        await until(pilot, lambda: "99999" in shown(app, "#fault"))
        await pilot.click("#connect")
        await pilot.pause()
        assert isinstance(app.screen, AddServerScreen) and world.calls == []


async def test_a_changed_host_key_is_said_as_such_and_escape_refuses(make_app: Make) -> None:
    world = make_world(empty=True)
    world.changed_key_since = "2026-03-02"
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen))
        app.screen.query_one("#line", Input).value = "ssh root@gpu9.example.net"
        await pilot.click("#connect")
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        assert "CHANGED" in shown(app, ".question") and "2026-03-02" in shown(app, ".more")
        await pilot.press("escape")
        await until(pilot, lambda: shown(app, "#fault") != "", "the refusal")
        assert world.answers == [False] and app.state.servers == {}


async def test_an_unreachable_server_is_told_with_what_to_do(
    make_app: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(empty=True)
    world.dial_problem = "tui.servers_add.unreadable"
    app = make_app(world)
    monkeypatch.setattr(app.services.servers, "add", _raise_unreachable)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen))
        app.screen.query_one("#line", Input).value = "ssh root@gpu9.example.net"
        await pilot.click("#connect")
        await until(pilot, lambda: app.state.add_failed is not None)
        remark = app.state.add_failed.remark  # type: ignore[union-attr]
        assert remark.level == "bad" and remark.hint.en


def _raise_unreachable(*_: object) -> None:
    raise Problem("tui.servers_add.unreadable", ExitCode.UNREACHABLE, line="x")


async def test_a_download_that_breaks_says_why_and_keeps_its_row(
    make_app: Make, world: FakeWorld
) -> None:
    world.pull_problem = Problem("tui.servers_add.port", ExitCode.UNREACHABLE, port="disk full")
    app = make_app(world, start="voices")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: len(app.state.all_voices()) == 2)
        await pilot.press("d")
        await until(pilot, lambda: any(t.state == "failed" for t in app.state.transfers.values()))
        assert "disk full" in shown(app, "#transfers")
        assert not any(v.safe for v in app.state.all_voices())


async def test_a_fault_of_ours_is_shown_and_the_dashboard_lives_on(
    make_app: Make, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(world)

    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(app.services.deploys, "plan", broken)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await settled(pilot, app, world)
        await pilot.press("d")
        await until(pilot, lambda: any("boom" in n.title for n in app._notifications))
        await pilot.press("q")
        assert app.is_running


async def test_monitor_keys_change_the_charts(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        chart = app.screen.query_one("#chart-sovits", LineChart)
        await until(pilot, lambda: bool(chart.curves))
        await pilot.press("L", "s")
        assert chart.log_y and chart.smoothing == 0.9
        assert app.settings.log_scale and app.settings.smoothing == 0.9
        await pilot.press("z")
        assert chart.view is not None and chart.view[1] == 1380
        await pilot.press("left", "h")
        assert chart.cursor == 1379
        await pilot.press("0", "c")
        assert chart.view is None and chart.cursor is None
        await pilot.press("m")
        assert {c.name for c in chart.curves} == {"mel", "kl", "fm", "gen"}
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: app.state.run == ("lab-a100", "1121-0902-mika"))


async def test_a_server_that_cannot_be_added_keeps_what_was_typed(
    make_app: Make, world: FakeWorld
) -> None:
    world.dial_problem = "tui.servers_add.unreadable"
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AddServerScreen), "the dialog")
        line = app.screen.query_one("#line", Input)
        line.value = "ssh -p 40022 root@gpu9.example.net"
        line.focus()
        await until(pilot, lambda: app.screen.query_one("#name", Input).value == "gpu9")
        await pilot.press("enter")
        await until(pilot, lambda: shown(app, "#fault") != "", "why it failed")
        assert line.value == "ssh -p 40022 root@gpu9.example.net"
        assert not app._notifications, "said once, in the dialog"
        world.dial_problem = None
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen), "another try")
        await pilot.click("#yes")
        await until(pilot, lambda: "gpu9" in app.state.servers, "the server saved")
        await until(pilot, lambda: not isinstance(app.screen, AddServerScreen), "it closes")


async def test_stop_asks_names_the_voice_and_does_it(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "ATRI" in shown(app, ".question") and "tokyo-4090" in shown(app, ".question")
        await pilot.press("n")
        assert not any(call.startswith("stop") for call in world.calls)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        assert isinstance(app.screen, ConfirmScreen), "what is dangerous is asked twice"
        assert "really" in str(app.screen.query_one("#yes", Button).label)
        await pilot.press("y")
        await until(pilot, lambda: app.state.chosen_run.status == "stopped")  # type: ignore[union-attr]


async def test_read_only_refuses_to_change_anything(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor", read_only=True)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y", "y")
        await until(pilot, lambda: bool(app.state.notices))
        assert not any(call.startswith("stop") for call in world.calls)
        await pilot.press("f4")
        assert not app.controller.read_only


async def test_the_form_shows_meaning_range_and_faults(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        field = app.screen.query_one("#field-gpt-batch_size")
        box = field.query_one(Input)
        box.focus()
        await pilot.pause()
        assert "1-64" in shown(app, "#help") and "prosody" in shown(app, "#help")
        box.value = "400"
        await until(pilot, lambda: "takes 1-64" in str(field.query_one(".note", Static).content))
        box.value = "60"
        await until(pilot, lambda: "0 updates an epoch" in shown(app, "#plan"), "the warning")
        await pilot.press("ctrl+r")
        await until(
            pilot, lambda: box.value == "auto" and "0 updates an epoch" not in shown(app, "#plan")
        )
        app.screen.query_one("#field-gpt-dpo").query_one(OptionStepper).value = "on"
        await until(pilot, lambda: app.screen.draft.params == {"gpt.dpo": True})  # type: ignore[attr-defined]


def shows(app: SovdeckApp, word: str) -> bool:
    return word in app.export_screenshot().replace("&#160;", "")


async def test_language_switches_live_on_every_screen(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        for mode in ("monitor", "voices", "servers"):
            app.action_go(mode)
            await pilot.pause()
        await pilot.press("f2")
        for mode, word in (("monitor", "阶段"), ("servers", "服务器")):
            app.action_go(mode)
            await until(pilot, partial(shows, app, word))
        assert app.settings.language == "zh"


async def test_help_lists_the_keys_of_the_screen(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        text = " ".join(str(s.content) for s in app.screen.query(Static))
        assert "monitor.smoothing" in text and "Stop run" in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


async def test_logs_find_and_follow(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="logs")
    async with app.run_test(size=(80, 12)) as pilot:
        await settled(pilot, app, world)
        view = app.screen.query_one(LogView)
        await until(pilot, lambda: view.scroll_offset.y == view.max_scroll_y > 0)
        await pilot.press("slash")
        await pilot.press(*"memory", "enter")
        (hit,) = view.hits()
        top = int(view.scroll_offset.y)
        assert top <= hit < top + view.size.height and not view.follow
        await pilot.press("G")
        await until(pilot, lambda: view.follow and view.scroll_offset.y == view.max_scroll_y)
        await pilot.press("slash", "x")
        assert app.screen.query_one("#word").region.area
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query_one("#word").region.area, "it closed")
        assert app.focused is view


async def test_a_keymap_renames_keys(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="monitor", keys={"monitor.log_scale": "w"})
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        chart = app.screen.query_one("#chart-sovits", LineChart)
        await pilot.press("w")
        assert chart.log_y
        await pilot.press("L")
        assert chart.log_y


async def test_jump_goes_to_a_place_by_letter(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: type(app.screen).__name__ == "JumpScreen")
        target = app.screen.targets["d"]  # type: ignore[attr-defined]
        await pilot.press("d")
        await until(pilot, lambda: app.focused is target)


@pytest.mark.parametrize(
    "size", [(60, 16), pytest.param((300, 80), marks=pytest.mark.long), (20, 6)]
)
async def test_every_screen_stands_any_window(
    make_app: Make, world: FakeWorld, size: tuple[int, int]
) -> None:
    app = make_app(world)
    async with app.run_test(size=size) as pilot:
        await settled(pilot, app, world)
        for mode in SovdeckApp.MODES:
            app.action_go(mode)
            await pilot.pause()
            assert app.current_mode == mode
        await pilot.resize_terminal(size[0] + 40, size[1] + 20)
        await pilot.pause()
