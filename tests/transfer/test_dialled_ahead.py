"""Links dialled before they are wanted: given out once each, hung up when nobody came for them."""

from __future__ import annotations

import threading

import pytest

from engine.contract.problem import ExitCode, Problem
from remote.transfer.dialled_ahead import DialledAhead


class Line:
    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


class Exchange:
    """Connects when it is told to; counts."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lines: list[Line] = []
        self.lock = threading.Lock()

    def connect(self) -> Line:
        with self.lock:
            line = Line(len(self.lines))
            self.lines.append(line)
        assert self.go.wait(20)
        return line


def test_each_is_given_once_and_then_new_ones_are_dialled() -> None:
    exchange = Exchange()
    ahead = DialledAhead(exchange.connect, 3)
    exchange.go.set()
    given = [ahead.connect() for _ in range(5)]
    assert len(set(given)) == 5 == len(exchange.lines)
    ahead.close()
    assert not any(line.closed.is_set() for line in given), "they are the taker's"


def test_what_nobody_wanted_is_hung_up_also_when_it_stands_later() -> None:
    exchange = Exchange()
    ahead = DialledAhead(exchange.connect, 3)
    taken: list[Line] = []
    taker = threading.Thread(target=lambda: taken.append(ahead.connect()))
    taker.start()
    while len(ahead._coming) == 3:
        pass
    ahead.close()
    exchange.go.set()
    taker.join(20)
    for line in exchange.lines:
        assert line.closed.wait(0.0 if line in taken else 20) is (line not in taken)


def test_a_dial_that_failed_is_told_to_its_taker_alone() -> None:
    turns = iter((True, False))

    def connect() -> Line:
        if next(turns):
            raise Problem("remote.link.no_greeting", ExitCode.UNREACHABLE, server="s", why="full")
        return Line(1)

    ahead = DialledAhead(connect, 1)
    with pytest.raises(Problem):
        ahead.connect()
    assert ahead.connect().number == 1
    DialledAhead(lambda: connect(), 1).close()
