"""`ps --watch`: a line for each change, none for what stays, and never a cursor movement."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, StageState
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.servers.run_list import RunRow
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.run_table import row_json, run_failure
from sovdeck.tui.cli.watch_runs import RunWatcher

GOING = RunRow(
    "gpu9",
    JobState("one", "running", text("remote.job.state_running"), attempt=1, as_of=1_000),
    RunState(
        "one",
        "Anna",
        as_of=997_000,
        current="sovits",
        stages=(StageState("sovits", "running", step=8, total=80, last_loss=31.4, eta_s=40.0),),
    ),
)
LOST = Problem("remote.connection.lost", ExitCode.UNREACHABLE, server="gpu9", why="silence")


def at_step(step: int) -> RunRow:
    stage = replace(GOING.run.stages[0], step=step)
    return replace(GOING, run=replace(GOING.run, stages=(stage,)))


def test_one_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = RunWatcher(Console(json_output=False, language="en"))
    for step in (8, 9, 15, 16, 79):
        watcher.print_changes("gpu9", (at_step(step),))
    ended = replace(GOING.job, state="failed", code=3, since=940)
    for _ in range(3):
        watcher.print_changes("gpu9", (replace(at_step(80), job=ended),))
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\r" not in said
    lines = [line.partition(" ")[2] for line in said.splitlines()]
    assert lines == [
        "gpu9 one: running, sovits 8/80, loss 31.400, 40 s left, last heard 3 s ago",
        "gpu9 one: running, sovits 16/80, loss 31.400, 40 s left, last heard 3 s ago",
        "gpu9 one: running, sovits 79/80, loss 31.400, 40 s left, last heard 3 s ago",
        "gpu9 one: failed, ended 1:00 ago",
    ]


def test_a_queued_run_says_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = RunWatcher(Console(json_output=False, language="zh"))
    waiting = RunRow("gpu9", replace(GOING.job, state="starting", queued=2), RunState("one"))
    watcher.print_changes("gpu9", (waiting,))
    assert "前面 2 个" in capsys.readouterr().out


def test_a_server_that_should_be_off_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = RunWatcher(Console(json_output=False, language="en"))
    for warning in (None, Text("It is on.", "开着。"), Text("It is on.", "开着。"), None):
        watcher.print_running_on("gpu9", warning)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("gpu9 It is on.")


def test_silence_is_said_more_and_more_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = RunWatcher(Console(json_output=False, language="en"))
    watcher.print_changes("gpu9", (GOING,))
    for second in range(0, 181, 2):
        watcher.print_problem("gpu9", LOST, float(second))
    watcher.print_changes("gpu9", (GOING,))
    reported = capsys.readouterr()
    assert len(reported.err.splitlines()) == 1
    lines = reported.out.splitlines()[1:]
    ages = [line.rpartition("for ")[2] for line in lines[:-1]]
    assert ages[0] == "10 s" and ages[-3:] == ["1:00", "2:00", "3:00"] and len(ages) == 13
    assert lines[-1].endswith("gpu9 answers again")


def test_as_json_every_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = RunWatcher(Console(json_output=True, language="en"))
    watcher.print_changes("gpu9", (GOING,))
    watcher.print_problem("gpu9", LOST, 0.0)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["server"] for one in found] == ["gpu9", "gpu9"]
    assert found[0]["state"] == "running" and found[1]["exit_code"] == 6


def test_a_failed_run_says_why_in_its_own_words() -> None:
    assert run_failure(GOING) is None
    failed = replace(GOING.job, state="failed", code=3, why=Text("exit code 3", "退出码 3"))
    told = {
        "message": {"en": "No clips.", "zh": "没有片段。"},
        "hint": {"en": "Push some.", "zh": ""},
    }
    error = Event(9, 0, "one", "error", payload=told)
    row = RunRow("gpu9", failed, replace(GOING.run, notices=(error,)))
    assert run_failure(row) == Text("No clips. Push some.", "没有片段。")
    assert row_json(row)["problem"]["en"] == "No clips. Push some."
    silent = replace(row, run=replace(GOING.run, notices=()))
    assert run_failure(silent) == Text("exit code 3", "退出码 3")
