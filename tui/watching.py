"""Follows the runs of servers as lines: one for each change, nothing is ever drawn over.

Made for pipes and screen readers: what changed is said once, with how old it is.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from engine.contract.catalogue import text
from engine.contract.problem import ExitCode, Problem
from tui.console import Console, duration
from tui.run_rows import as_json, known, look_once, state_words
from tui.state.ages import step_of

if TYPE_CHECKING:
    from remote.board import Board, Row

_EVERY_S = 2.0
_TENTHS = 10


class Watcher:
    """Says what is new since the last look at each server. Times are `time.monotonic()`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._silent: dict[str, tuple[float, int]] = {}  # since when, and the age said last

    def rows(self, server: str, rows: tuple[Row, ...]) -> None:
        """The server answered."""
        if self._silent.pop(server, None) is not None:
            self._line(server, text("tui.ps.back").get(self._console.language))
        for row in rows:
            key, news = (server, row.job.run), news_of(row)
            if self._said.get(key) != news:
                self._said[key] = news
                self._console.emit(as_json(row))
                self._line(server, f"{row.job.run}: {describe(row, self._console)}")

    def problem(self, server: str, problem: Problem, now: float) -> None:
        """The server could not be asked; said at once, then ever more seldom."""
        since, said = self._silent.get(server, (now, -1))
        step = step_of(now - since)
        self._silent[server] = since, step
        if said < 0:
            self._console.problem(problem, server=server)
        elif step > said:
            age = text("tui.ps.silent", age=duration(step)).get(self._console.language)
            self._console.emit({"server": server, "silent_s": step})
            self._line(server, age)

    def _line(self, server: str, words: str) -> None:
        self._console.write(f"{time.strftime('%H:%M:%S')} {server} {words}")


def news_of(row: Row) -> tuple[Any, ...]:
    """What a line is written for: the state, its place in the queue, each tenth of a stage."""
    stage = row.run.stage(row.run.current) if row.run.current else None
    tenth = stage.step * _TENTHS // stage.total if stage is not None and stage.total else 0
    return (row.job.state, row.job.attempt, row.job.queued, row.run.current, tenth)


def describe(row: Row, console: Console) -> str:
    """`running, sovits 12/80, loss 31.420, 0:40 left, heard 2 s ago`."""
    job, run = row.job, row.run
    parts = [state_words(row, console)]
    stage = run.stage(run.current) if run.current else None
    if stage is not None and not job.ended:
        parts.append(f"{stage.name} {stage.step}/{stage.total}")
        if stage.last_loss is not None:
            parts.append(f"loss {stage.last_loss:.3f}")
        if stage.eta_s is not None:
            left = text("tui.ps.left", time=duration(stage.eta_s))
            parts.append(left.get(console.language))
    # Both times are the server's own, so its clock need not be right.
    at = job.since if job.ended else (run.as_of // 1000 if run.as_of else None)
    if at is not None and job.as_of is not None:
        key = "tui.ps.ended" if job.ended else "tui.ps.heard"
        parts.append(text(key, age=duration(max(0, job.as_of - at))).get(console.language))
    return ", ".join(parts)


def is_passing(error: Exception) -> bool:
    """Whether asking again could help: a lost link comes back, a refusal is final."""
    return isinstance(error, Problem) and error.exit_code is ExitCode.UNREACHABLE


def watch(boards: list[Board], console: Console) -> int:
    """Until interrupted, or until every server has refused us; then that exit code."""
    heard: queue.Queue[tuple[Board, tuple[Row, ...] | Exception]] = queue.Queue()

    def look_on(board: Board) -> None:
        while True:
            look = look_once(board)
            heard.put((board, look))
            if isinstance(look, Exception) and not is_passing(look):
                return
            time.sleep(_EVERY_S)

    for board in boards:
        threading.Thread(target=look_on, args=(board,), daemon=True).start()
    watcher, left, code = Watcher(console), len(boards), 0
    while left:
        board, found = heard.get()
        look = known(found)
        if isinstance(look, Problem):
            watcher.problem(board.studio.name, look, time.monotonic())
            if not is_passing(look):
                left, code = left - 1, int(look.exit_code)
        else:
            watcher.rows(board.studio.name, look)
    return code
