"""Connections of a transfer that are lost: opened again, or the transfer's own end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost
from sovdeck.remote.transfer.core.backoff import retry_with_backoff
from sovdeck.remote.transfer.core.concurrency import ConcurrencyController
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker import Worker, WorkerState
from sovdeck.remote.transfer.core.worker_pool import WorkerPool, WorkQueue

TUNING = Tuning(max_connections=1, reconnect=0.01, reconnect_max=0.02, tick=0.01)


def cut_off() -> Problem:
    return Problem("remote.auth.cut_off", ExitCode.REFUSED, server="box", why="EOF")


class Line:
    """Moves `pieces` pieces over workers that each end as `ends` says, one after another."""

    def __init__(self, pieces: int, *ends: Problem | None) -> None:
        self.left = pieces
        self.ends: Iterator[Problem | None] = iter(ends)
        self.opened = 0
        self.meter = TransferMeter()

    def open(self, fails: Callable[[int], Problem | None]) -> Worker:
        self.opened += 1
        problem = fails(self.opened)
        if problem is not None:
            raise problem
        return self

    def work(self, state: WorkerState) -> None:
        state.mark_active()
        self.left -= 1
        self.meter.add(1)
        problem = next(self.ends, None)
        if problem is not None:
            raise problem

    def close(self) -> None:
        """Nothing is held."""

    def run(self, fails: Callable[[int], Problem | None]) -> None:
        pool = WorkerPool(
            lambda: self.open(fails), self.meter, lambda _: None, threading.Event(), TUNING
        )
        work = WorkQueue(lambda: self.left > 0, lambda: self.left <= 0)
        pool.run(work, ConcurrencyController(1, TUNING))


def test_a_log_in_cut_off_in_the_middle_of_a_transfer_is_tried_again() -> None:
    line = Line(3, ConnectionLost("box", "cut"))
    line.run(lambda number: cut_off() if number in (2, 3) else None)
    assert line.left == 0 and line.opened == 4 and line.meter.retries == 3


def test_a_first_log_in_that_is_cut_off_ends_the_transfer() -> None:
    line = Line(3)
    with pytest.raises(Problem) as caught:
        line.run(lambda number: cut_off())
    assert caught.value.key == "remote.auth.cut_off" and line.opened == 1


@pytest.mark.parametrize("moved", [0, 5])
def test_what_a_transfer_asks_between_its_parts_follows_the_same_rule(moved: int) -> None:
    meter, calls = TransferMeter(), []
    meter.add(moved)

    def ask() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise cut_off()
        return len(calls)

    def run() -> int:
        return retry_with_backoff(ask, TUNING, threading.Event(), meter, limit=5.0)

    if moved:
        assert run() == 2
    else:
        with pytest.raises(Problem):
            run()
