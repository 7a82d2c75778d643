"""The connections of one transfer: opened, watched, replaced when they die, and let go."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote.transfer.lane import Lane, Seat
from remote.transfer.patience import cancelled
from remote.transfer.progress import Meter, Report
from remote.transfer.ramp import Ramp
from remote.transfer.tuning import Tuning


class Work:
    """What the crew works off. `waiting`: something can be taken now; `over`: all is done."""

    def __init__(self, waiting: Callable[[], bool], over: Callable[[], bool]) -> None:
        self.waiting = waiting
        self.over = over


@dataclass
class _Member:
    lane: Lane = field(default_factory=Lane)
    seat: Seat | None = None
    stalled: bool = False
    thread: threading.Thread | None = None


class Crew:
    """Runs `seat.work` on as many connections as the ramp wants until the work is over.

    A connection that is lost is opened again with growing waits; only when no byte moved for
    `tuning.give_up` seconds does the loss become the transfer's own Problem. Any other Problem
    ends the transfer at once. No thread moves bytes once `run` has returned or raised.
    """

    def __init__(
        self,
        open_seat: Callable[[], Seat],
        meter: Meter,
        report: Report,
        cancel: threading.Event,
        tuning: Tuning,
    ) -> None:
        self._open_seat = open_seat
        self._meter = meter
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._members: list[_Member] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._moved = 0
        self._moved_at = monotonic()

    def run(self, work: Work, ramp: Ramp) -> None:
        """Work until `work.over()`; raises the Problem that ended it early."""
        self._stop.clear()
        self._moved_at = monotonic()
        try:
            while not work.over():
                self._check()
                self._note_progress()
                alive = self._alive()
                wanted = ramp.wanted(monotonic(), self._meter.moved, len(alive))
                while len(self._members) < wanted and work.waiting():
                    self._start(work, ramp)
                for member in alive[wanted:]:
                    member.lane.leave.set()
                self._watch()
                self._meter.connections = len(alive)
                self._report(self._meter.progress())
                self._wake.wait(self._tuning.tick)
                self._wake.clear()
            self._check()
        finally:
            self._end()

    def _check(self) -> None:
        if self._cancel.is_set():
            raise cancelled()
        if self._failure is not None:
            raise self._failure

    def _note_progress(self) -> None:
        if self._meter.moved != self._moved:
            self._moved, self._moved_at = self._meter.moved, monotonic()

    def _alive(self) -> list[_Member]:
        with self._lock:
            self._members = [
                m for m in self._members if m.thread is not None and m.thread.is_alive()
            ]
            return [m for m in self._members if m.seat is not None and not m.lane.leave.is_set()]

    def _start(self, work: Work, ramp: Ramp) -> None:
        member = _Member()
        member.thread = threading.Thread(
            target=self._serve, args=(member, work, ramp), name="transfer", daemon=True
        )
        with self._lock:
            self._members.append(member)
        member.thread.start()

    def _watch(self) -> None:
        """Close the connections that owe bytes and have been silent too long."""
        for member in list(self._members):
            silent = monotonic() - member.lane.heard
            if member.seat is not None and member.lane.owed and silent > self._tuning.stall:
                member.stalled = True
                _shut(member.seat)

    def _serve(self, member: _Member, work: Work, ramp: Ramp) -> None:
        """One connection's thread: open, work, open again when it is lost."""
        wait = self._tuning.reconnect
        while not self._stop.is_set() and not member.lane.leave.is_set():
            moved = self._meter.moved
            try:
                self._sit(member, work)
                return
            except Problem as problem:
                lost = problem.exit_code is ExitCode.UNREACHABLE or member.stalled
                if self._stop.is_set():
                    return
                if not lost or monotonic() - self._moved_at > self._tuning.give_up:
                    self._fail(problem)
                    return
                if member.seat is None and self._others(member):
                    ramp.refused()  # the others work; this one is too many
                    return
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._fail(error)
                return
            finally:
                self._leave(member)
            self._meter.retries += 1
            if self._meter.moved > moved:
                wait = self._tuning.reconnect
            self._stop.wait(wait * random.uniform(0.7, 1.3))
            wait = min(wait * 2, self._tuning.reconnect_most)

    def _sit(self, member: _Member, work: Work) -> None:
        seat = self._open_seat()
        member.stalled = False
        member.lane.owe(False)
        member.seat = seat
        while not (self._stop.is_set() or member.lane.leave.is_set() or work.over()):
            if work.waiting():
                seat.work(member.lane)
                self._wake.set()
            else:  # the last ranges are with others, and may come back
                self._stop.wait(self._tuning.tick)

    def _leave(self, member: _Member) -> None:
        seat, member.seat = member.seat, None
        if seat is not None:
            _shut(seat)

    def _others(self, member: _Member) -> bool:
        with self._lock:
            return any(m is not member and m.seat is not None for m in self._members)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._wake.set()

    def _end(self) -> None:
        """Stop every thread: seats are closed, which wakes whoever waits for bytes."""
        self._stop.set()
        for member in list(self._members):
            member.lane.leave.set()
            seat = member.seat
            if seat is not None:
                _shut(seat)
        for member in list(self._members):
            if member.thread is not None:
                # One that is still dialling cannot be woken; it will find the stop and hang up.
                member.thread.join(None if member.seat is not None else 2.0)
        self._members.clear()
        self._meter.connections = 0


def _shut(seat: Seat) -> None:
    # A dead connection cannot say goodbye; it is gone all the same.
    with contextlib.suppress(OSError, EOFError, Problem):
        seat.close()
