"""The Speak screen records a reference by keys; the child process behind it answers in lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pilot_waits import settled, until
from textual.widgets import Input, Static

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio.record import RecordingLevel
from sovdeck.tui.audio.recorder import ChildRecorder
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.record_reference import RecordReferenceScreen
from sovdeck.tui.services.fakes.world import FakeWorld

Make = Callable[..., SovdeckApp]


async def test_a_reference_is_recorded_heard_and_kept(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="speak")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: bool(app.state.all_voices()), "a voice")
        app.screen.set_focus(None)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, RecordReferenceScreen))
        dialog = app.screen

        def shown() -> str:
            return str(dialog.query_one("#meter", Static).content)

        await until(pilot, lambda: "Ctrl+R begins" in shown(), "microphones")
        await pilot.press("right", "ctrl+r")
        await until(pilot, lambda: "4.0 s" in shown(), "its level")
        assert "record USB Headset" in world.calls
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "4.0 s were recorded" in shown(), "the end")
        await pilot.press("f5")
        await until(pilot, lambda: bool(world.player.played), "it is heard")
        dialog.query_one("#words", Input).value = "Hello there."
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is not dialog, "closed")
        await until(
            pilot, lambda: any("recorded.wav" in call for call in world.calls), "it is sent"
        )


CHILD = (
    "import sys, json\n"
    "say = lambda **facts: print(json.dumps(facts), flush=True)\n"
    "if sys.argv[1] == 'list': say(microphones=['A', 'B'])\n"
    "elif sys.argv[2] == 'B':\n"
    "    say(problem='tui.record.device_failed', exit_code=2, facts={'name': 'B', 'why': 'busy'})\n"
    "elif sys.argv[2] == 'gone': pass\n"
    "else:\n"
    "    print('ALSA lib: something'); say(seconds=0.1, level_db=-20.0)\n"
    "    sys.stdin.readline(); say(recorded=3.5)\n"
)


def test_the_child_lists_records_until_stopped_and_reports_problems(tmp_path: Path) -> None:
    recorder = ChildRecorder((sys.executable, "-c", CHILD))
    assert recorder.microphones() == ("A", "B")
    levels: list[RecordingLevel] = []

    def heard(level: RecordingLevel) -> None:
        levels.append(level)
        threading.Timer(0.1, recorder.stop).start()

    assert recorder.record("A", tmp_path / "x.wav", heard) == 3.5
    assert levels == [RecordingLevel(0.1, -20.0)]
    for name, why in (("B", "busy"), ("gone", "ended without a word")):
        with pytest.raises(Problem, match=why):
            recorder.record(name, tmp_path / "x.wav", heard)
    recorder.stop()  # nothing goes on: no effect


def test_the_real_child_says_that_there_is_no_microphone_or_lists_them() -> None:
    try:
        assert ChildRecorder().microphones()
    except Problem as problem:
        assert problem.key == "tui.record.no_microphone"  # noqa: PT017  either is right here
