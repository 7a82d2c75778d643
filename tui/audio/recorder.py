"""Records through a child process, so that no sound library writes on the screen."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.audio.record import RecordingLevel

_MODULE = "sovdeck.tui.audio.record_child"
_KEYS = ("no_microphone", "which_microphone", "device_failed", "too_short", "not_saved")


class ChildRecorder:
    """One recording at a time; `stop` may come from any thread and keeps what was recorded."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-P", "-m", _MODULE)) -> None:
        """`command` replaces the program (tests)."""
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def microphones(self) -> tuple[str, ...]:
        """The names of this computer's microphones; Problem when there is none."""
        for answer in self._answers("list"):
            found = answer.get("microphones")
            if isinstance(found, list):
                return tuple(str(name) for name in found)
        raise Problem("tui.record.no_microphone", ExitCode.CONFIG)

    def record(
        self, microphone: str, target: Path, report: Callable[[RecordingLevel], None]
    ) -> float:
        """Record into `target` until `stop` or its longest; the seconds. Problem as `record`."""
        for answer in self._answers("record", microphone, str(target)):
            if "level_db" in answer:
                report(RecordingLevel(float(answer["seconds"]), float(answer["level_db"])))
            elif "recorded" in answer:
                return float(answer["recorded"])
        raise _device_problem(microphone)

    def stop(self) -> None:
        """End the recording that goes on; no effect when none does."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def _answers(self, *arguments: str) -> Iterator[dict[str, Any]]:
        process = subprocess.Popen(  # noqa: S603  our own argv, no shell
            (*self._command, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        with self._lock:
            self._process = process
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("{"):
                    answer = json.loads(line)
                    _raise_problem(answer)
                    yield answer
        finally:
            with self._lock:
                self._process = None
            process.kill()
            process.wait()
            process.stdout.close()


def _raise_problem(answer: dict[str, Any]) -> None:
    key = str(answer.get("problem", "")).removeprefix("tui.record.")
    if key in _KEYS:
        raise Problem(f"tui.record.{key}", ExitCode(answer["exit_code"]), **answer["facts"])


def _device_problem(name: str) -> Problem:
    facts = {"name": name, "why": "it ended without a word"}
    return Problem("tui.record.device_failed", ExitCode.CONFIG, **facts)
