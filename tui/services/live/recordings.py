"""Records references on this computer, after a countdown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio.record import RecordingLevel
from sovdeck.tui.audio.recorder import ChildRecorder
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.state.speech_models import RecordingRow

COUNTDOWN_S = 3


class LiveRecordings:
    """Finds microphones and records into `folder`."""

    def __init__(self, folder: Path, recorder: ChildRecorder) -> None:
        self._folder = folder
        self._recorder = recorder

    def find(self, emit: Emit, cancel: Cancel) -> None:
        """Emit the microphones of this computer."""
        row = RecordingRow()
        emit(ev.RecordingChanged(row))
        try:
            emit(ev.RecordingChanged(RecordingRow(self._recorder.microphones(), "idle")))
        except Problem as problem:
            emit(ev.RecordingChanged(_failed(row, problem)))

    def record(
        self, microphones: tuple[str, ...], microphone: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Count down, record, and emit the level meanwhile."""
        row = RecordingRow(microphones, "countdown")
        for left in range(COUNTDOWN_S, 0, -1):
            emit(ev.RecordingChanged(replace(row, left=left)))
            if cancel.wait(1.0):
                return

        def report(level: RecordingLevel) -> None:
            now = replace(row, phase="recording", seconds=level.seconds, level_db=level.level_db)
            emit(ev.RecordingChanged(now))

        target = self._folder / f"recorded-{datetime.now():%Y%m%d-%H%M%S}.wav"
        try:
            seconds = self._recorder.record(microphone, target, report)
        except Problem as problem:
            emit(ev.RecordingChanged(_failed(row, problem)))
            return
        emit(ev.RecordingChanged(replace(row, phase="done", seconds=seconds, wav=target)))

    def stop(self) -> None:
        """End the recording that goes on, and keep it."""
        self._recorder.stop()


def _failed(row: RecordingRow, problem: Problem) -> RecordingRow:
    why = Remark("bad", problem.message, problem.hint)
    return replace(row, phase="failed", why=why)
