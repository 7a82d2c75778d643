"""The connections of one transfer: opened, watched, replaced when they die, and let go."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.errors import is_lost_line
from sovdeck.remote.transfer.core.backoff import cancelled
from sovdeck.remote.transfer.core.concurrency import ConcurrencyController
from sovdeck.remote.transfer.core.progress import Report, TransferMeter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker import Worker, WorkerState


class WorkQueue:
    """The work of a pool. `waiting`: something can be taken now; `over`: all is done."""

    def __init__(self, waiting: Callable[[], bool], over: Callable[[], bool]) -> None:
        self.waiting = waiting
        self.over = over


@dataclass
class _PoolMember:
    state: WorkerState = field(default_factory=WorkerState)
    worker: Worker | None = None
    stalled: bool = False
    thread: threading.Thread | None = None


class WorkerPool:
    """Runs workers on as many connections as the controller wants until the work is over.

    A connection that is lost is opened again with growing waits; only when no byte moved for
    `tuning.give_up` seconds does the loss become the transfer's own Problem. Any other Problem
    ends the transfer at once. No thread moves bytes once `run` has returned or raised.
    """

    def __init__(
        self,
        open_worker: Callable[[], Worker],
        meter: TransferMeter,
        report: Report,
        cancel: threading.Event,
        tuning: Tuning,
    ) -> None:
        self._open_worker = open_worker
        self._meter = meter
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._members: list[_PoolMember] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._moved = 0
        self._moved_at = monotonic()

    def run(self, work: WorkQueue, controller: ConcurrencyController) -> None:
        """Work until `work.over()`; raises the Problem that ended it early."""
        self._stop.clear()
        self._moved_at = monotonic()
        try:
            while not work.over():
                self._check()
                self._note_progress()
                alive = self._alive()
                wanted = controller.target(monotonic(), self._meter.moved, len(alive))
                while len(self._members) < wanted and work.waiting():
                    self._start(work, controller)
                for member in alive[wanted:]:
                    member.state.stop_requested.set()
                self._close_stalled()
                self._meter.connections = len(alive)
                self._report(self._meter.progress())
                self._wake.wait(self._tuning.tick)
                self._wake.clear()
            self._check()
        finally:
            self._stop_all()

    def _check(self) -> None:
        if self._cancel.is_set():
            raise cancelled()
        if self._failure is not None:
            raise self._failure

    def _note_progress(self) -> None:
        if self._meter.moved != self._moved:
            self._moved, self._moved_at = self._meter.moved, monotonic()

    def _alive(self) -> list[_PoolMember]:
        with self._lock:
            self._members = [
                m for m in self._members if m.thread is not None and m.thread.is_alive()
            ]
            return [
                m
                for m in self._members
                if m.worker is not None and not m.state.stop_requested.is_set()
            ]

    def _start(self, work: WorkQueue, controller: ConcurrencyController) -> None:
        member = _PoolMember()
        member.thread = threading.Thread(
            target=self._run_member, args=(member, work, controller), name="transfer", daemon=True
        )
        with self._lock:
            self._members.append(member)
        member.thread.start()

    def _close_stalled(self) -> None:
        """Close the connections that owe bytes and have been silent too long."""
        for member in list(self._members):
            silent = monotonic() - member.state.last_active
            if (
                member.worker is not None
                and member.state.awaiting_data
                and silent > self._tuning.stall
            ):
                member.stalled = True
                _close_quietly(member.worker)

    def _run_member(
        self, member: _PoolMember, work: WorkQueue, controller: ConcurrencyController
    ) -> None:
        """One connection's thread: open, work, open again when it is lost."""
        wait = self._tuning.reconnect
        while not self._stop.is_set() and not member.state.stop_requested.is_set():
            moved = self._meter.moved
            try:
                self._run_worker(member, work)
                return
            except Problem as problem:
                lost = member.stalled or is_lost_line(problem, worked=self._meter.moved > 0)
                if self._stop.is_set():
                    return
                if not lost or monotonic() - self._moved_at > self._tuning.give_up:
                    self._fail(problem)
                    return
                if member.worker is None and self._others_connected(member):
                    controller.record_refusal()  # the others work; this one is too many
                    return
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._fail(error)
                return
            finally:
                self._close_worker(member)
            self._meter.retries += 1
            if self._meter.moved > moved:
                wait = self._tuning.reconnect
            self._stop.wait(wait * random.uniform(0.7, 1.3))
            wait = min(wait * 2, self._tuning.reconnect_max)

    def _run_worker(self, member: _PoolMember, work: WorkQueue) -> None:
        worker = self._open_worker()
        member.stalled = False
        member.state.set_awaiting_data(False)
        member.worker = worker
        while not (self._stop.is_set() or member.state.stop_requested.is_set() or work.over()):
            if work.waiting():
                worker.work(member.state)
                self._wake.set()
            else:  # the last ranges are with others, and may come back
                self._stop.wait(self._tuning.tick)

    def _close_worker(self, member: _PoolMember) -> None:
        worker, member.worker = member.worker, None
        if worker is not None:
            _close_quietly(worker)

    def _others_connected(self, member: _PoolMember) -> bool:
        with self._lock:
            return any(m is not member and m.worker is not None for m in self._members)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._wake.set()

    def _stop_all(self) -> None:
        """Stop every thread: closing a worker wakes whoever waits for bytes."""
        self._stop.set()
        for member in list(self._members):
            member.state.stop_requested.set()
            worker = member.worker
            if worker is not None:
                _close_quietly(worker)
        for member in list(self._members):
            if member.thread is not None:
                # One that is still dialling cannot be woken; it will find the stop and hang up.
                member.thread.join(None if member.worker is not None else 2.0)
        self._members.clear()
        self._meter.connections = 0


def _close_quietly(worker: Worker) -> None:
    # A dead connection cannot say goodbye; it is gone all the same.
    with contextlib.suppress(OSError, EOFError, Problem):
        worker.close()
