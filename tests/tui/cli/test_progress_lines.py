"""How far something is, in a place where no line can be replaced: a pipe, a log."""

from __future__ import annotations

import io
import json
import threading
import time

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


class _SlowStream(io.StringIO):
    """Lets another thread run after each write, as the interpreter may at any time."""

    def write(self, text: str) -> int:
        written = super().write(text)
        time.sleep(0)
        return written


def test_lines_of_several_threads_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = _SlowStream()
    monkeypatch.setattr("sys.stdout", stream)
    console = Console(json_output=True, language="en")

    def print_many(name: int) -> None:
        for number in range(200):
            console.print_json({"thread": name, "number": number})

    threads = [threading.Thread(target=print_many, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(records) == 800
    assert [r["number"] for r in records if r["thread"] == 3] == list(range(200))
