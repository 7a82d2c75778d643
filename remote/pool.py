"""One connection per server, shared and re-used, with its state on show.

A lost or unreachable server is tried again with growing pauses; a refused key or password, or a
changed host key, never is until a person did something about it (`Pool.retry`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.contract.problem import ExitCode, Problem
from remote.faults import LinkLost
from remote.link import Link

State = Literal["offline", "connecting", "up", "auth-needed", "refused"]
Connect = Callable[[], Link]
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# Refusals that end when a person answers a question.
_ANSWERABLE = frozenset({"remote.auth.needed", "remote.host.key_unknown"})


@dataclass(frozen=True)
class Status:
    """How one server stands. since: unix seconds. next_try_s: pause before the next attempt."""

    name: str
    state: State = "offline"
    since: float = 0.0
    problem: Problem | None = None
    attempts: int = 0
    next_try_s: float | None = None


def state_of(problem: Problem) -> State:
    """The state a failed attempt leads to. Pure."""
    if problem.exit_code is not ExitCode.REFUSED:
        return "offline"
    return "auth-needed" if problem.key in _ANSWERABLE else "refused"


def pause(attempts: int, dice: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the n-th failed attempt in a row (n from 1): 1 to 30, jittered.

    Jitter of half the pause keeps many servers, or many laptops, from calling in step.
    """
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 10))
    return longest * (0.5 + 0.5 * dice())


@dataclass
class _Seat:
    """One server's place in the pool."""

    what: object
    connect: Connect
    status: Status
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while connecting
    wake: threading.Event = field(default_factory=threading.Event)
    link: Link | None = None
    keeper: threading.Thread | None = None
    gone: bool = False


class Pool:
    """Links by server name. Callable from any thread.

    on_change: called with every new Status, from the thread that caused it; it must not block.
    """

    def __init__(self, *, on_change: Callable[[Status], None] = lambda _status: None) -> None:
        self._on_change = on_change
        self._seats: dict[str, _Seat] = {}
        self._lock = threading.Lock()

    def add(self, name: str, what: object, connect: Connect) -> None:
        """Make a server known, without connecting; known already with the same `what`, it stays.

        what: its address or whatever else, when changed, ends the old link. connect: makes a
        link or raises Problem.
        """
        with self._lock:
            seat = self._seats.get(name)
            if seat is not None and seat.what == what:
                return
            self._seats[name] = _Seat(what, connect, Status(name, since=time.time()))
        if seat is not None:
            _leave(seat)

    def remove(self, name: str) -> None:
        """Forget a server and end its link."""
        with self._lock:
            seat = self._seats.pop(name, None)
        if seat is not None:
            _leave(seat)

    def status(self, name: str) -> Status:
        """How `name` stands now. KeyError for a server never added."""
        seat = self._seats[name]
        if seat.status.state == "up" and seat.link is not None and not seat.link.alive:
            return self._lost(seat)
        return seat.status

    def statuses(self) -> list[Status]:
        """Every server's status, in the order they were added."""
        return [self.status(name) for name in list(self._seats)]

    def link(self, name: str) -> Link:
        """The live link of `name`, connecting when there is none. Blocks; raises Problem.

        Callers that arrive while another connects share its outcome. A server that refused us
        raises that refusal again, unasked.
        """
        seat = self._seats[name]
        before = seat.status.attempts
        with seat.lock:
            if seat.link is not None and seat.link.alive:
                return seat.link
            status = seat.status
            shared = status.problem is not None and status.attempts != before
            if status.problem and (shared or status.state in ("refused", "auth-needed")):
                raise status.problem
            return self._open(seat)

    def keep(self, name: str) -> None:
        """Hold the link of `name` up from now on, re-connecting in the background."""
        seat = self._seats[name]
        with self._lock:
            if seat.keeper is None:
                seat.keeper = threading.Thread(
                    target=self._hold, args=(seat,), name=f"keep-{name}", daemon=True
                )
                seat.keeper.start()

    def retry(self, name: str) -> None:
        """A person did something about it: forget refusals and pauses."""
        seat = self._seats[name]
        with seat.lock:
            if seat.status.state != "up":
                self._note(seat, Status(name, "offline", time.time()))
        seat.wake.set()

    def close(self) -> None:
        """End every link."""
        for name in list(self._seats):
            self.remove(name)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _note(self, seat: _Seat, status: Status) -> Status:
        seat.status = status
        if not seat.gone:
            self._on_change(status)
        return status

    def _open(self, seat: _Seat) -> Link:
        """Connect and note how it went; the seat's lock is held."""
        old = seat.status
        if seat.link is not None:
            seat.link.close()
            seat.link = None
        self._note(seat, replace(old, state="connecting", since=time.time(), next_try_s=None))
        try:
            link = seat.connect()
        except Problem as problem:
            attempts = old.attempts + 1
            state = state_of(problem)
            wait = pause(attempts) if state == "offline" else None
            self._note(seat, Status(old.name, state, time.time(), problem, attempts, wait))
            raise
        except BaseException:
            self._note(seat, replace(old, state="offline", since=time.time()))
            raise
        seat.link = link
        self._note(seat, Status(old.name, "up", time.time()))
        if seat.gone:  # removed meanwhile: nobody else would close it
            link.close()
        return link

    def _lost(self, seat: _Seat) -> Status:
        assert seat.link is not None
        problem = LinkLost(seat.link.name, seat.link.why_dead())
        return self._note(seat, Status(seat.status.name, "offline", time.time(), problem))

    def _hold(self, seat: _Seat) -> None:
        name = seat.status.name
        while not seat.gone:
            seat.wake.clear()
            try:
                link = self.link(name) if self._seats.get(name) is seat else None
            except Problem:
                # The status tells everyone; a refusal waits for `retry`, the rest for its pause.
                seat.wake.wait(seat.status.next_try_s)
                continue
            if link is None:
                return
            while not seat.gone and not link.wait_closed(30.0):
                pass
            if not seat.gone:
                self.status(name)


def _leave(seat: _Seat) -> None:
    seat.gone = True
    seat.wake.set()
    if seat.link is not None:
        seat.link.close()
