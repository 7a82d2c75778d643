"""`speak --record` on a terminal: countdown, level, listen, again, keep. The device is silence."""

from __future__ import annotations

import os
import pty
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import miniaudio
import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio import record as audio_record
from sovdeck.tui.cli import record_reference as module
from sovdeck.tui.cli.console import Console


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal as standard input; the end where a person types."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(theirs, "r", encoding="utf-8"))
    null = [miniaudio.Backend.NULL]
    real = audio_record.record
    monkeypatch.setattr(module, "record", lambda *given: real(*given, longest=3.1, backends=null))
    monkeypatch.setattr(module, "list_microphones", lambda: audio_record.list_microphones(null))
    monkeypatch.setattr(module, "COUNTDOWN_S", 0)
    return ours


def test_too_short_is_recorded_again_then_listened_to_and_kept(
    keyboard: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    played: list[Path] = []
    monkeypatch.setattr(module, "play_file", played.append)
    # Ended at once: too short. The second one runs to its end, is listened to and kept.
    timer = threading.Timer(0.5, lambda: os.write(keyboard, b"\n"))
    timer.start()
    monkeypatch.setattr("builtins.input", typed("", "", "l", "k"))
    kept = module.record_reference(tmp_path, "", Console(json_output=False, language="en"))
    timer.join()
    assert kept.is_file() and kept.parent == tmp_path and played == [kept]
    said = capsys.readouterr().out
    assert "at least 3 s" in said and "3.1 s were recorded" in said and "very quiet" in said


def typed(*answers: str) -> Callable[[str], str]:
    """What a person answers, one question after another."""
    left = iter(answers)
    return lambda question: next(left)


def test_whoever_leaves_has_nothing_kept(
    keyboard: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", typed("", "q"))
    with pytest.raises(Problem) as left:
        module.record_reference(tmp_path, "", Console(json_output=False, language="en"))
    assert left.value.key == "tui.record.left" and not list(tmp_path.iterdir())


def test_without_a_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Problem) as none:
        module.record_reference(tmp_path, "", Console(json_output=True, language="en"))
    assert "--ref FILE" in none.value.hint.en


def test_the_meter_is_full_at_full_scale() -> None:
    assert module.meter(0.0, 10) == "█" * 10 and module.meter(-120.0, 10) == "░" * 10
    assert module.meter(-30.0, 10).count("█") == 5
