"""Connections of a transfer that are lost: opened again, or the transfer's own end."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost
from sovdeck.remote.transfer.core.context import TransferContext
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool, WorkerState

TUNING = Tuning(connections=1, reconnect=0.01, reconnect_max=0.02, tick=0.01)


def cut_off() -> Problem:
    return Problem("remote.auth.cut_off", ExitCode.REFUSED, server="box", why="EOF")


class Line:
    """Moves pieces over connections that each end as `ends` says, one after another."""

    def __init__(self, pieces: int, *ends: Problem | None) -> None:
        self.left = pieces
        self.ends: Iterator[Problem | None] = iter(ends)
        self.opened = 0
        self.meter = TransferMeter()

    @property
    def waiting(self) -> bool:
        return self.left > 0

    @property
    def over(self) -> bool:
        return self.left <= 0

    def work(self, worker: Line, state: WorkerState) -> None:
        state.mark_active()
        self.left -= 1
        self.meter.add(1)
        problem = next(self.ends, None)
        if problem is not None:
            raise problem

    def release(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""

    def run(self, fails: Callable[[int], Problem | None]) -> None:
        def connect() -> Any:
            self.opened += 1
            problem = fails(self.opened)
            if problem is not None:
                raise problem
            return self

        WorkerPool(transfer(connect, self.meter), self, lambda _: self, self.work).run(0.0)


def transfer(
    connect: Callable[[], Any], meter: TransferMeter, tuning: Tuning = TUNING
) -> TransferContext:
    return TransferContext(connect, lambda _: None, threading.Event(), tuning, meter=meter)


def test_a_log_in_cut_off_in_the_middle_of_a_transfer_is_tried_again() -> None:
    line = Line(3, ConnectionLost("box", "cut"))
    line.run(lambda number: cut_off() if number in (2, 3) else None)
    assert line.left == 0 and line.opened == 4 and line.meter.retries == 3


def test_a_connection_that_is_turned_away_while_others_work_is_one_too_many() -> None:
    line, refused, lock = Line(400 << 20), threading.Event(), threading.Lock()

    def connect() -> Any:
        with lock:
            line.opened += 1
            number = line.opened
        if number > 2:
            refused.set()
            raise ConnectionLost("box", "MaxStartups")
        return line

    def work(worker: Line, state: WorkerState) -> None:
        state.mark_active()
        refused.wait(10)  # both stand until the third has come and gone
        time.sleep(0.001)
        with lock:
            line.left -= 1 << 20

    one = transfer(connect, line.meter, replace(TUNING, connections=3))
    WorkerPool(one, line, lambda _: line, work).run(0.2)
    assert line.over and line.opened == 3 and line.meter.retries == 0


def test_a_first_log_in_that_is_cut_off_ends_the_transfer() -> None:
    line = Line(3)
    with pytest.raises(Problem) as caught:
        line.run(lambda number: cut_off())
    assert caught.value.key == "remote.auth.cut_off" and line.opened == 1


@pytest.mark.parametrize("moved", [0, 5])
def test_what_a_transfer_asks_between_its_parts_follows_the_same_rule(moved: int) -> None:
    meter, calls = TransferMeter(), []
    meter.add(moved)

    def ask(connection: object) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise cut_off()
        return len(calls)

    one = transfer(lambda: Line(0), meter)
    if moved:
        assert one.ask(ask) == 2
    else:
        with pytest.raises(Problem):
            one.ask(ask)


def test_a_question_beside_is_asked_again_where_its_line_was_lost() -> None:
    opened: list[Line] = []

    def connect() -> Line:
        opened.append(Line(0))
        return opened[-1]

    def ask(connection: Any) -> int:
        if connection is opened[0]:
            raise ConnectionLost("box", "cut")
        return opened.index(connection)

    one = transfer(connect, TransferMeter())
    one.ask(lambda connection: None)
    assert one.await_answer(one.ask_beside(ask), ask) == 1 and len(opened) == 2


def test_a_refusal_beside_is_not_asked_again() -> None:
    def refuse(connection: object) -> None:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path="x")

    one = transfer(lambda: Line(0), TransferMeter())
    one.ask(lambda connection: None)
    with pytest.raises(Problem) as caught:
        one.await_answer(one.ask_beside(refuse), refuse)
    assert caught.value.key == "remote.transfer.changed"


class Spoken:
    """A connection that knows whether it was closed."""

    rtt, closed = 0.0, False

    def close(self) -> None:
        self.closed = True


def test_a_connection_given_back_after_the_end_is_closed() -> None:
    early, late = Spoken(), Spoken()
    with transfer(Spoken, TransferMeter()) as one:
        one.keep_idle(early)  # type: ignore[arg-type]
        assert not early.closed
    one.keep_idle(late)  # type: ignore[arg-type]
    assert early.closed and late.closed


class TakenMeanwhile(deque[Any]):
    """Empty, since another thread took the last one after this one had looked."""

    def __bool__(self) -> bool:
        return True


def test_threads_that_lose_their_lines_together_may_hang_up_together() -> None:
    with transfer(Spoken, TransferMeter()) as one:
        one._idle = TakenMeanwhile()
        one.hang_up_idle()
