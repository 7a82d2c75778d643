"""A made-up microphone: four seconds of speech at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.speech_models import RecordingRow


class FakeRecordings:
    """Two microphones; a recording goes on until it is stopped."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def find(self, emit: Emit, cancel: Cancel) -> None:
        """Emit both microphones."""
        emit(ev.RecordingChanged(RecordingRow(("Built-in", "USB Headset"), "idle")))

    def record(
        self, microphones: tuple[str, ...], microphone: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Emit one of each phase, and wait for the stop before the last."""
        self.world.record_call("record", microphone)
        row = RecordingRow(microphones, "countdown", left=1)
        emit(ev.RecordingChanged(row))
        row = replace(row, phase="recording", left=0, seconds=4.0, level_db=-18.0)
        emit(ev.RecordingChanged(row))
        if self.world.recording_stopped.wait(20.0):
            self.world.recording_stopped.clear()
            wav = Path("recorded.wav")  # nothing is written there
            emit(ev.RecordingChanged(replace(row, phase="done", wav=wav)))

    def stop(self) -> None:
        """Let the recording end."""
        self.world.recording_stopped.set()
