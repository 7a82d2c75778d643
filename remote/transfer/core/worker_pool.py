"""The connections of one transfer: opened, watched, replaced when they die, and let go."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.errors import is_lost_line
from sovdeck.remote.transfer.core.concurrency import connections_for
from sovdeck.remote.transfer.core.context import TransferContext
from sovdeck.remote.transfer.core.interfaces import TransferConnection


class WorkQueue(Protocol):
    """What the connections of a pool take their work from."""

    @property
    def waiting(self) -> bool:
        """Whether something can be taken now."""

    @property
    def left(self) -> int:
        """Bytes that wait or are out with a connection."""

    @property
    def over(self) -> bool:
        """Whether all is done."""


class Worker(Protocol):
    """A connection that is ready to work."""

    def release(self) -> TransferConnection | None:
        """End its channels; the connection, where it is this worker's own to give on."""

    def close(self) -> None:
        """End it; may be called from another thread to wake whoever waits for its bytes."""


W = TypeVar("W", bound=Worker)


@dataclass
class WorkerState:
    """`awaiting_data`: the server owes bytes; `last_active`: when some last came (monotonic s).

    The pool reads both to notice a dead line, and sets `stop_requested` when all is over.
    """

    awaiting_data: bool = False
    last_active: float = field(default_factory=monotonic)
    stop_requested: threading.Event = field(default_factory=threading.Event)

    def mark_active(self) -> None:
        """Note that the server was heard from now."""
        self.last_active = monotonic()

    def set_awaiting_data(self, awaiting: bool) -> None:
        """Note whether the server owes an answer."""
        if awaiting and not self.awaiting_data:
            self.mark_active()
        self.awaiting_data = awaiting

    def pause(self, seconds: float) -> None:
        """Wait for the bandwidth limit: a silence of our own making."""
        if seconds:
            self.stop_requested.wait(seconds)
            self.mark_active()


@dataclass
class _PoolMember(Generic[W]):
    ready: W | None  # what it begins with, where that stands already
    state: WorkerState
    worker: W | None = None
    stalled: bool = False
    closed: bool = False
    thread: threading.Thread = field(init=False)

    def close(self) -> None:
        """Close the worker, which wakes its thread."""
        self.closed, worker = True, self.worker
        if worker is not None:
            # A dead connection cannot say goodbye; it is gone all the same.
            with contextlib.suppress(OSError, EOFError, Problem):
                worker.close()


class WorkerPool(Generic[W]):
    """Runs `work` on as many connections as the distance wants until the queue is over.

    `make_worker` makes one of a fresh connection; `first` is one that stands already. A connection
    that is lost is opened again with growing waits; only when no byte moved for `tuning.give_up`
    seconds does the loss become the transfer's own Problem. One that the server turns away while
    others work is one too many. Any other Problem ends the transfer at once. No thread moves bytes
    once `run` has returned or raised.
    """

    def __init__(
        self,
        transfer: TransferContext,
        queue: WorkQueue,
        make_worker: Callable[[TransferConnection], W],
        work: Callable[[W, WorkerState], None],
        first: W | None = None,
    ) -> None:
        self._transfer = transfer
        self._meter = transfer.meter
        self._tuning = transfer.tuning
        self._queue = queue
        self._make_worker = make_worker
        self._work = work
        self._first = first
        self._members: list[_PoolMember[W]] = []
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._wanted = 1
        self._moved = 0
        self._moved_at = monotonic()

    def run(self, rtt: float) -> None:
        """Work until the queue is over; raises the Problem that ended it early.

        rtt: seconds to the server and back.
        """
        self._wanted = connections_for(rtt, self._queue.left, self._tuning.connections)
        try:
            while not self._queue.over:
                self._check()
                if self._meter.moved != self._moved:
                    self._moved, self._moved_at = self._meter.moved, monotonic()
                alive = self._alive()
                while len(self._members) < self._wanted and self._queue.waiting:
                    self._start()
                self._close_stalled()
                self._meter.connections = len(alive)
                self._transfer.report()
                self._wake.wait(self._tuning.tick)
                self._wake.clear()
            self._check()
        finally:
            self._stop_all()

    def _check(self) -> None:
        self._transfer.check_cancelled()
        if self._failure is not None:
            raise self._failure

    def _alive(self) -> list[_PoolMember[W]]:
        with self._lock:
            self._members = [m for m in self._members if m.thread.is_alive()]
            return [m for m in self._members if m.worker is not None]

    def _start(self) -> None:
        member, self._first = _PoolMember(self._first, WorkerState(stop_requested=self._stop)), None
        member.thread = threading.Thread(
            target=self._run_member, args=(member,), name="transfer", daemon=True
        )
        with self._lock:
            self._members.append(member)
            member.thread.start()

    def _close_stalled(self) -> None:
        """Close the connections that owe bytes and have been silent too long."""
        for member in self._members:
            silent = monotonic() - member.state.last_active
            owes = member.worker is not None and member.state.awaiting_data
            if owes and silent > self._tuning.stall:
                member.stalled = True
                member.close()

    def _run_member(self, member: _PoolMember[W]) -> None:
        """One connection's thread: open, work, open again when it is lost."""
        wait = self._tuning.reconnect
        while not self._stop.is_set():
            moved = self._meter.moved
            try:
                self._run_worker(member)
                self._keep_connection(member)
                return
            except Problem as problem:
                self._transfer.hang_up_idle()
                lost = member.stalled or is_lost_line(problem, worked=self._meter.moved > 0)
                if self._stop.is_set():
                    return
                if not lost or monotonic() - self._moved_at > self._tuning.give_up:
                    self._fail(problem)
                    return
                if member.worker is None and self._others_connected(member):
                    with self._lock:
                        self._wanted = max(1, self._wanted - 1)
                    return
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._fail(error)
                return
            finally:
                member.close()
                member.worker = None
            self._meter.retries += 1
            if self._meter.moved > moved:
                wait = self._tuning.reconnect
            self._stop.wait(wait * random.uniform(0.7, 1.3))
            wait = min(wait * 2, self._tuning.reconnect_max)

    def _run_worker(self, member: _PoolMember[W]) -> None:
        worker = member.ready or self._transfer.open_worker(self._make_worker)
        member.ready = None
        member.stalled = member.closed = False
        member.state.set_awaiting_data(False)
        member.worker = worker
        while not self._stop.is_set():
            if self._queue.over:
                return
            if self._queue.waiting:
                self._work(worker, member.state)
                self._wake.set()
            else:  # the last ranges are with others, and may come back
                self._stop.wait(self._tuning.tick)

    def _keep_connection(self, member: _PoolMember[W]) -> None:
        """All work is done, and nothing is owed: another file may want the connection."""
        if self._queue.over and not member.closed and member.worker is not None:
            connection = member.worker.release()
            member.worker = None
            if connection is not None:
                self._transfer.keep_idle(connection)

    def _others_connected(self, member: _PoolMember[W]) -> bool:
        with self._lock:
            return any(m is not member and m.worker is not None for m in self._members)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._wake.set()

    def _stop_all(self) -> None:
        """Stop every thread: closing a worker wakes whoever waits for bytes."""
        self._stop.set()
        for member in self._members:
            if self._queue.over and member.worker is not None:  # it waits for none, and gives it on
                member.thread.join(1.0)
        for member in self._members:
            member.close()
        for member in self._members:
            # One that is still dialling cannot be woken; it will find the stop and hang up.
            member.thread.join(None if member.worker is not None else 2.0)
        self._meter.connections = 0
