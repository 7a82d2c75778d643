"""Follow the runs of servers as lines, one for each change; nothing is redrawn.

Made for pipes and screen readers: each change is printed once, with its age.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.format import format_short_duration
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.servers.run_list import RunList, RunRow
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.run_table import fetch_runs, raise_unexpected, row_json, state_text
from sovdeck.tui.state.freshness import displayed_age

_POLL_INTERVAL_S = 2.0
_TENTHS = 10


class RunWatcher:
    """Prints what changed since the last poll of each server. Times are `time.monotonic()`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._running_on: dict[str, Text | None] = {}
        self._unreachable: dict[str, tuple[float, int]] = {}  # since when, and the age printed last

    def print_changes(self, server: str, rows: tuple[RunRow, ...]) -> None:
        """Print the rows of a server that differ from what was printed last."""
        if self._unreachable.pop(server, None) is not None:
            self._print_line(server, text("tui.ps.back").get(self._console.language))
        for row in rows:
            key, state_key = (server, row.job.run_id), change_key(row)
            if self._printed.get(key) != state_key:
                self._printed[key] = state_key
                self._console.print_json(row_json(row))
                self._print_line(server, f"{row.job.run_id}: {format_row(row, self._console)}")

    def print_running_on(self, server: str, warning: Text | None) -> None:
        """Print once that a server is on which should be off."""
        if warning is not None and self._running_on.get(server) != warning:
            self._print_line(server, warning.get(self._console.language))
        self._running_on[server] = warning

    def print_problem(self, server: str, problem: Problem, now: float) -> None:
        """Print that a server could not be reached: at once, then ever more seldom."""
        since, printed_step = self._unreachable.get(server, (now, -1))
        step = displayed_age(now - since)
        self._unreachable[server] = since, step
        if printed_step < 0:
            self._console.print_problem(problem, server=server)
        elif step > printed_step:
            age = text("tui.ps.silent", age=format_short_duration(step)).get(self._console.language)
            self._console.print_json({"server": server, "silent_s": step})
            self._print_line(server, age)

    def _print_line(self, server: str, message: str) -> None:
        self._console.print_line(f"{time.strftime('%H:%M:%S')} {server} {message}")


def change_key(row: RunRow) -> tuple[Any, ...]:
    """What a line is printed for: state, attempt, queue position, stage, tenth of the stage."""
    stage = row.run.stage(row.run.current) if row.run.current else None
    tenth = stage.step * _TENTHS // stage.total if stage is not None and stage.total else 0
    return (row.job.state, row.job.attempt, row.job.queued, row.run.current, tenth)


def format_row(row: RunRow, console: Console) -> str:
    """`running, sovits 12/80, loss 31.420, 0:40 left, heard 2 s ago`."""
    job, run = row.job, row.run
    parts = [state_text(row, console)]
    stage = run.stage(run.current) if run.current else None
    if stage is not None and not job.ended:
        parts.append(f"{stage.name} {stage.step}/{stage.total}")
        if stage.last_loss is not None:
            parts.append(f"loss {stage.last_loss:.3f}")
        if stage.eta_s is not None:
            remaining = text("tui.ps.left", time=format_short_duration(stage.eta_s))
            parts.append(remaining.get(console.language))
    # Both times are the server's own: a wrong clock does not matter.
    since = job.since if job.ended else (run.as_of // 1000 if run.as_of else None)
    if since is not None and job.as_of is not None:
        key = "tui.ps.ended" if job.ended else "tui.ps.heard"
        parts.append(
            text(key, age=format_short_duration(max(0, job.as_of - since))).get(console.language)
        )
    return ", ".join(parts)


def is_transient(error: Exception) -> bool:
    """Whether a retry could help: an unreachable server may come back, a refusal is final."""
    return isinstance(error, Problem) and error.exit_code is ExitCode.UNREACHABLE


def watch_runs(run_lists: list[RunList], console: Console) -> int:
    """Poll until interrupted, or until every server has refused; returns the last exit code."""
    results: queue.Queue[tuple[RunList, tuple[RunRow, ...] | Exception]] = queue.Queue()

    def poll(run_list: RunList) -> None:
        while True:
            result = fetch_runs(run_list)
            results.put((run_list, result))
            if isinstance(result, Exception) and not is_transient(result):
                return
            time.sleep(_POLL_INTERVAL_S)

    for run_list in run_lists:
        threading.Thread(target=poll, args=(run_list,), daemon=True).start()
    watcher, remaining, code = RunWatcher(console), len(run_lists), 0
    while remaining:
        run_list, received = results.get()
        result = raise_unexpected(received)
        if isinstance(result, Problem):
            watcher.print_problem(run_list.session.name, result, time.monotonic())
            if not is_transient(result):
                remaining, code = remaining - 1, int(result.exit_code)
        else:
            watcher.print_changes(run_list.session.name, result)
            watcher.print_running_on(run_list.session.name, run_list.running_on)
    return code
