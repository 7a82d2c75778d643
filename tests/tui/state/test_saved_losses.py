"""The loss beside a saved epoch: what the run that wrote the file had come to by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pilot_waits import settled, until
from textual.widgets import Static

from sovdeck.engine.contract.events import Event
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.run import ENDED_RUN
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.runs import RunView, saved_loss, with_events

Make = Callable[..., SovdeckApp]
FILE = "SoVITS_weights/A/A_e1_s2.pth"


def events(*rows: tuple[str, Mapping[str, Any]], stage: str = "sovits") -> list[Event]:
    return [
        Event(seq, 1000 + seq, "r", name, 1, stage, dict(row))
        for seq, (name, row) in enumerate(rows)
    ]


def step(losses: object) -> tuple[str, dict[str, Any]]:
    return "step", {"step": 1, "total": 4, "losses": losses}


def export(path: object = FILE, kind: str = "sovits") -> tuple[str, dict[str, Any]]:
    return "export", {"path": path, "kind": kind, "bytes": 1, "sha256": "ab"}


def read(*rows: tuple[str, Mapping[str, Any]]) -> RunView:
    return with_events(RunView("s", "r"), events(*rows), 0)


def test_it_is_the_mean_of_the_updates_since_the_save_before() -> None:
    second = "SoVITS_weights/A/A_e2_s4.pth"
    rows = (
        step({"total": 8.0}),
        step({"total": 4.0}),
        export(),
        step({"total": 3.0}),
        export(second),
    )
    run = read(*rows)
    assert saved_loss([run], "s", FILE) == 6.0
    assert saved_loss([run], "s", second) == 3.0
    assert saved_loss([run], "other", FILE) is None
    # The same stream told in two pieces, the second with what was told before.
    halves = with_events(with_events(RunView("s", "r"), events(*rows)[:3], 0), events(*rows), 0)
    assert halves.saved_losses == run.saved_losses


@pytest.mark.parametrize(
    "losses",
    [None, [], {}, {"total": None}, {"total": "1"}, {"total": True}, {"total": float("nan")}],
    ids=["none", "list", "empty", "not-finite", "text", "bool", "nan"],
)
def test_what_is_no_number_counts_for_nothing(losses: object) -> None:
    assert saved_loss([read(step(losses), export())], "s", FILE) is None
    assert saved_loss([read(step({"total": 2.0}), step(losses), export())], "s", FILE) == 2.0


def test_only_the_stages_own_file_ends_the_count() -> None:
    run = read(step({"total": 2.0}), export("packs/A.zip", "pack"), export(7), export())
    assert run.saved_losses.by_path == {FILE: 2.0}
    again = read(step({"total": 2.0}), export(), export())
    assert saved_loss([again], "s", FILE) == 2.0


def test_the_newest_run_that_wrote_the_file_is_right() -> None:
    old = read(step({"total": 9.0}), export())
    new = with_events(
        RunView("s", "later"), events(step({"total": 9.0}), step({"total": 1.0}), export()), 0
    )
    assert saved_loss([new, old], "s", FILE) == 5.0


async def test_the_screen_reads_an_ended_run_for_its_losses(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="voices")
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(app.state.all_voices()) == 2, "both voices")
        panel = app.screen.query_one("#checkpoints", Static)
        assert "loss –" not in str(panel.content)
        assert app.state.runs[("lab-a100", ENDED_RUN)].state.seq < 0
        await pilot.press("j")
        await until(pilot, lambda: "loss –" not in str(panel.content), "the losses")
        assert "Mika" in str(panel.border_title) and "loss 2" in str(panel.content)


async def test_where_no_run_knows_it_the_dash_stays(make_app: Make, world: FakeWorld) -> None:
    world.jobs["lab-a100"] = ()
    app = make_app(world, start="voices")
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(app.state.all_voices()) == 2, "both voices")
        await pilot.press("j")
        panel = app.screen.query_one("#checkpoints", Static)
        await until(pilot, lambda: "Mika" in str(panel.border_title), "the voice")
        assert "loss –" in str(panel.content)
