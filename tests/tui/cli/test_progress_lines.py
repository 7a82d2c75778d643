"""How far something is, in a place where no line can be replaced: a pipe, a log."""

from __future__ import annotations

import pytest

from sovdeck.tui.cli import console as console_module
from sovdeck.tui.cli.console import PROGRESS_LINE_S, Console


def test_a_pipe_gets_a_line_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now[0])
    console = Console(json_output=False, language="en")
    for _ in range(50):
        now[0] += PROGRESS_LINE_S / 20
        console.show_progress(f"at {now[0]:.1f}")
    assert capsys.readouterr().out.splitlines() == ["at 110.0", "at 120.0"]


def test_a_program_gets_records_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(json_output=True, language="en")
    monkeypatch.setattr(console_module.time, "monotonic", lambda: 1e9)
    console.show_progress("half")
    assert capsys.readouterr().out == ""
