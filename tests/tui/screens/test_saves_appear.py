"""What a run saves appears on the screens about voices while a person looks at them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pilot_waits import until
from textual.widgets import Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.run import LIVE_RUN
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.events import JobSeen, RunEvents
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.empty_state import EmptyState

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)
TOKYO = "tokyo-4090"


@pytest.mark.parametrize("shown", ["voices", "speak", "audition"])
async def test_the_first_save_fills_the_empty_screen(
    make_app: Make, world: FakeWorld, shown: str
) -> None:
    atri = world.voices[TOKYO]
    stream = world.streams[LIVE_RUN]
    first = next(event for event in stream if event.type == "export")
    world.saved, world.jobs["lab-a100"] = world.saved[:1], ()
    world.streams[LIVE_RUN] = stream[: stream.index(first)]
    world.voices = {}
    app = make_app(world, start=shown)
    async with app.run_test(size=SIZE) as pilot:
        empty = app.screen.query_one("#no-voice" if shown == "audition" else "#empty", EmptyState)
        await until(pilot, lambda: "ATRI is training" in str(empty.content), "what is coming")
        world.voices = {TOKYO: atri}
        app.controller.emit(RunEvents(TOKYO, LIVE_RUN, (first,), world.now()))
        await until(pilot, lambda: not empty.display or not empty.region.area, "the voice")
        assert [voice.name for voice in app.state.all_voices()] == ["ATRI"]


async def test_weights_saved_meanwhile_and_the_pack_at_the_end_are_listed(
    make_app: Make, world: FakeWorld
) -> None:
    atri = world.voices[TOKYO][0]
    app = make_app(world, start="speak")
    async with app.run_test(size=SIZE) as pilot:
        table = app.screen.query_one("#sovits", DiffTable)
        await until(pilot, lambda: len(table.keys) == 2, "the weights")
        assets = world.voice_assets[atri.key]
        later = replace(assets.sovits[-1], name="ATRI_e12_s1680.pth", epoch=12)
        world.voice_assets[atri.key] = replace(assets, sovits=(*assets.sovits, later))
        export = next(event for event in world.streams[LIVE_RUN] if event.type == "export")
        step = next(event for event in world.streams[LIVE_RUN] if event.type == "step")
        last = app.state.runs[(TOKYO, LIVE_RUN)].state.seq
        path = {"path": "SoVITS_weights/ATRI/ATRI_e12_s1680.pth"}
        reported = (
            replace(step, seq=last + 1),
            replace(export, seq=last + 2, payload={**export.payload, **path}),
        )
        app.controller.emit(RunEvents(TOKYO, LIVE_RUN, reported, world.now()))
        await until(pilot, lambda: len(table.keys) == 3, "the new weight")
        await pilot.press("escape", "3")
        await until(pilot, lambda: app.current_mode == "voices")
        asked = world.calls.count(f"voices {TOKYO}")
        job = replace(world.jobs[TOKYO][0], state="succeeded")
        app.controller.emit(JobSeen(job, world.now()))
        await until(pilot, lambda: world.calls.count(f"voices {TOKYO}") == asked + 1, "the pack")
        assert app.screen.query_one("#checkpoints", Static).display


async def test_without_a_voice_nothing_is_offered_that_needs_one(
    make_app: Make, world: FakeWorld
) -> None:
    world.voices = {}
    app = make_app(world, start="voices")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.screen.has_class("-empty"), "the empty screen")
        keys = set(app.screen.active_bindings)
        assert "r" in keys and not keys & {"d", "x", "y", "s", "a"}
