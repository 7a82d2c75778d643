"""What a run's figures prove, and what they do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.events import Event
from sovdeck.remote.jobs.state import STATES, JobSnapshot, derive_state, parse_snapshots

PID = {"attempt": 1, "pid": 40, "start": 900, "boot": "b1", "child": 41, "child_start": 901}
RUNNING = JobSnapshot("r", 1000, "b1", pid=PID, supervisor_start=900, child_start=901, beat=999)


def ended(code: int, signal: int | None = None, **changes: Any) -> JobSnapshot:
    end = {"attempt": 1, "code": code, "signal": signal, "t": 990}
    return replace(RUNNING, supervisor_start=None, child_start=None, exit=end, **changes)


def said(status: str, code: int) -> Event:
    return Event(
        9,
        990_000,
        "r",
        "run_finished",
        payload={"status": status, "exit_code": code, "exports": []},
    )


GONE = replace(RUNNING, supervisor_start=None, child_start=None)


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        (RUNNING, "running"),
        (replace(RUNNING, pid={**PID, "child": 0, "child_start": 0}), "starting"),
        (replace(RUNNING, pid={**PID, "child": 0}, queued=2), "starting"),
        (ended(0), "succeeded"),
        (ended(3), "failed"),
        (ended(8), "no_op"),
        (ended(75), "preempted"),
        (ended(75, stop=True), "stopped"),
        (ended(143, 15, stop=True), "stopped"),
        (ended(137, 9, stop=True), "stopped"),
        (ended(130), "stopped"),
        (ended(137, 9), "killed"),
        (ended(139, 11), "killed"),
        # It finished in the moment it was asked to stop: finished counts.
        (ended(0, stop=True), "succeeded"),
        # The number is used again by another process: same pid, other start time.
        (replace(RUNNING, supervisor_start=5000, child_start=5001), "lost"),
        (replace(RUNNING, boot="b2", supervisor_start=900, child_start=901), "lost"),
        (GONE, "lost"),
        (replace(GONE, last=said("succeeded", 0)), "succeeded"),
        (replace(GONE, boot="b2", last=said("failed", 3)), "failed"),
        (replace(GONE, last=said("a status of tomorrow", 0)), "lost"),
        (replace(RUNNING, beat=1000 - 16), "stale"),
        (replace(RUNNING, beat=1000 - 14), "running"),
        (replace(RUNNING, beat=None), "running"),
        (replace(RUNNING, supervisor_start=None), "running"),
        # A second attempt goes on while the first one's end still lies there.
        (replace(RUNNING, pid={**PID, "attempt": 2}, exit={"attempt": 1, "code": 3}), "running"),
        (JobSnapshot("r", 1000, "b1"), "unknown"),
        (JobSnapshot("r", 1000, "b1", missing=True), "unknown"),
        (replace(RUNNING, exit={"attempt": 1, "code": "?"}), "unknown"),
    ],
)
def test_decision(figures: JobSnapshot, state: str) -> None:
    decided = derive_state(figures)
    assert decided.state == state
    assert decided.why.en and decided.why.zh


def test_blocks_are_read_and_strange_lines_left_out() -> None:
    end = {"attempt": 1, "code": 0, "signal": None, "t": 5}
    output = (
        "Welcome to the server\nnow 1000\nboot b1\nrun a\n"
        f"pid {json.dumps(PID)}\nsupervisor_start 900\nchild_start 901\nbeat 999\n"
        "run b\nmissing yes\n"
        f"run c\npid {json.dumps(PID)}\nexit {json.dumps(end)}\n"
        f"last {said('failed', 3).to_json()}\n"
        "queued not-a-number\n"
    )
    a, b, c = parse_snapshots(output)
    assert a == replace(RUNNING, run_id="a") and b.missing
    assert c.exit == end and c.last is not None and c.queued is None
    assert [derive_state(figures).state for figures in (a, b, c)] == [
        "running",
        "unknown",
        "succeeded",
    ]


@given(st.text(), st.text())
def test_nothing_a_server_says_breaks_the_decision(pid: str, rest: str) -> None:
    for figures in parse_snapshots(f"now x\nrun a\npid {pid}\nexit {rest}\n{rest}"):
        assert derive_state(figures).state in STATES


@settings(max_examples=40)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_odd_json_values_are_no_crash(value: Any) -> None:
    pid = {**PID, "start": value, "child": value, "attempt": value}
    for key in ("pid", "exit"):
        figures = parse_snapshots(
            f"now 1\nboot b1\nrun a\npid {json.dumps(pid)}\n{key} "
            + json.dumps({"attempt": value, "code": value})
        )
        assert derive_state(figures[0]).state in STATES
