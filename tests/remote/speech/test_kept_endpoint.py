"""One server of several: its voices go away and come back, and nothing else does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.speech.kept_endpoint import KeptEndpoint


class Endpoint:
    """Waits until it is told how it ends."""

    def __init__(self, port: int, on_change: Callable[[Problem | None], None]) -> None:
        self.port, self.on_change = port, on_change
        self.closed = threading.Event()
        self.end: queue.Queue[Problem | None] = queue.Queue()

    def wait(self) -> None:
        problem = self.end.get()
        if problem is not None:
            raise problem

    def close(self) -> None:
        self.closed.set()
        self.end.put(None)


class Kept:
    """A kept endpoint whose openings a test decides."""

    def __init__(self, *openings: Problem | None) -> None:
        self.openings = list(openings)
        self.opened: queue.Queue[Endpoint] = queue.Queue()
        self.changes: queue.Queue[Problem | None] = queue.Queue()
        self.pauses: list[int] = []
        self.count = 0
        self.kept = KeptEndpoint("lab", self.open, self.changes.put, pause=self.pause)

    def open(self, on_change: Callable[[Problem | None], None]) -> Any:
        self.count += 1
        problem = self.openings.pop(0) if self.openings else None
        if problem is not None:
            raise problem
        endpoint = Endpoint(9000 + self.count, on_change)
        self.opened.put(endpoint)
        return endpoint

    def pause(self, failures: int) -> float:
        self.pauses.append(failures)
        return 0.01

    def news(self) -> Problem | None:
        return self.changes.get(timeout=30)


@pytest.fixture
def made() -> Iterator[Callable[..., Kept]]:
    found: list[Kept] = []

    def make(*openings: Problem | None) -> Kept:
        found.append(Kept(*openings))
        return found[-1]

    yield make
    for one in found:
        one.kept.close()


def ended() -> Problem:
    return Problem(
        "remote.speak.ended", ExitCode.INTERNAL, server="lab", why="Killed", log="lab.txt"
    )


def unreachable() -> Problem:
    return Problem("remote.connection.lost", ExitCode.UNREACHABLE, server="lab", why="cut")


def test_an_engine_that_ends_is_away_and_opened_again(made: Callable[..., Kept]) -> None:
    kept = made(None, unreachable(), unreachable())
    first = kept.opened.get(timeout=30)
    assert (kept.kept.server.port, kept.kept.server.problem) == (9001, None)
    why = ended()
    first.end.put(why)
    assert kept.news() is why, "what ended it is the news"
    assert first.closed.is_set()
    second = kept.opened.get(timeout=30)
    assert kept.news() is None
    assert (kept.kept.server.port, kept.kept.server.problem) == (second.port, None)
    assert kept.changes.empty(), "each way is said once, however often it was tried"
    assert kept.pauses == [1, 2, 3], "each try in vain makes the next pause longer"


def test_a_server_that_is_away_at_the_start_is_tried_again(made: Callable[..., Kept]) -> None:
    why = unreachable()
    kept = made(why, unreachable())
    assert kept.news() is why
    assert kept.news() is None
    assert kept.kept.server.port == 9003 and kept.pauses == [1, 2]


def test_an_engine_that_fails_at_each_start_is_asked_ever_less_often(
    made: Callable[..., Kept],
) -> None:
    kept = made()
    for _ in range(4):
        kept.opened.get(timeout=30).end.put(ended())
    kept.opened.get(timeout=30)
    assert kept.pauses == [1, 2, 3, 4], "that it was up for a moment is no success"


def test_a_lost_line_is_the_endpoints_own_to_mend(made: Callable[..., Kept]) -> None:
    kept = made()
    endpoint = kept.opened.get(timeout=30)
    why = unreachable()
    endpoint.on_change(why)
    assert kept.news() is why and kept.kept.server.problem is why
    endpoint.on_change(None)
    assert kept.news() is None and kept.kept.server.problem is None
    assert kept.count == 1 and not endpoint.closed.is_set()


@pytest.mark.parametrize("code", [ExitCode.CONFIG, ExitCode.DATA, ExitCode.REFUSED])
def test_what_only_a_person_can_mend_is_said_at_the_start(
    made: Callable[..., Kept], code: ExitCode
) -> None:
    problem = Problem("remote.speak.no_voices", code, server="lab")
    with pytest.raises(Problem) as raised:
        made(problem)
    assert raised.value is problem


def test_closing_ends_it_and_says_nothing(made: Callable[..., Kept]) -> None:
    kept = made()
    endpoint = kept.opened.get(timeout=30)
    kept.kept.close()
    assert endpoint.closed.is_set()
    for thread in threading.enumerate():
        if thread.name == "keep-lab":
            thread.join(30)
            assert not thread.is_alive()
    assert kept.count == 1 and kept.changes.empty()
