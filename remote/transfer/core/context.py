"""One pull or push as a whole: its questions over one connection, tried again on a weak line."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from time import monotonic
from typing import Self, TypeVar

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import is_lost_line
from sovdeck.remote.transfer.core.concurrency import connections_for
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.progress import Report, TransferMeter
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import Tuning

T = TypeVar("T")


class TransferContext:
    """How a transfer connects, is stopped, limited and reported, and its connections.

    `bandwidth` caps bytes a second; None is no cap. `standing`: one that is open already. The
    connection it asks over stands from the first question to the end of the `with` block; those
    that are idle between two files too.
    """

    def __init__(
        self,
        connect: Connect,
        report: Report,
        cancel: threading.Event,
        tuning: Tuning,
        bandwidth: float | None = None,
        meter: TransferMeter | None = None,
        standing: TransferConnection | None = None,
    ) -> None:
        self._connect = connect
        self._report = report
        self.cancel = cancel
        self.tuning = tuning
        self.limiter = RateLimiter(bandwidth)
        self.meter = meter or TransferMeter()
        self._connection = standing
        self._give_up_after = tuning.first_contact
        self._idle: deque[Future[TransferConnection]] = deque()  # or about to stand
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._over = True
        self._drop()
        self.hang_up_idle()

    def report(self) -> None:
        """Tell how far it is."""
        self._report(self.meter.progress())

    def ask(self, action: Callable[[TransferConnection], T]) -> T:
        """Do `action` over the standing connection; over a new one when that is lost.

        Only for what may be repeated. Raises the last Problem once the line stayed away too long,
        or `cancelled`.
        """
        began, pause = monotonic(), self.tuning.reconnect
        while True:
            self.check_cancelled()
            try:
                if self._connection is None:
                    self._connection = self._take()
                answer = action(self._connection)
                self._give_up_after = self.tuning.give_up
                return answer
            except Problem as problem:
                self._drop()
                self.hang_up_idle()
                late = monotonic() - began + pause > self._give_up_after
                if late or not is_lost_line(problem, worked=self.meter.moved > 0):
                    raise
            self.meter.retries += 1
            self.cancel.wait(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 2, self.tuning.reconnect_max)

    def ask_beside(self, action: Callable[[TransferConnection], T]) -> Future[T]:
        """Do `action` in a thread, over the standing connection."""
        connection = self.ask(lambda standing: standing)
        return _start(lambda: action(connection))

    def dial_ahead(self, size: int) -> None:
        """Begin to open the connections that `size` bytes will want besides the standing one.

        After its log-in was answered: a refusal would come as often as it is dialled.
        """
        rtt = self.ask(lambda standing: standing.rtt)
        wanted = connections_for(rtt, size, self.tuning.connections)
        self._idle.extend(_start(self._connect) for _ in range(wanted - 1 - len(self._idle)))

    def await_answer(self, answer: Future[T], action: Callable[[TransferConnection], T]) -> T:
        """What `ask_beside` asked for; asked again when the line was lost under it."""
        try:
            return wait_for(answer, self.cancel, self.tuning.tick, self.report)
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE:
                raise
        self._drop()
        return self.ask(action)

    def open_worker(self, make: Callable[[TransferConnection], T]) -> T:
        """What `make` makes of a connection of its own, which is closed when that fails."""
        connection = self._take()
        try:
            return make(connection)
        except BaseException:
            connection.close()
            raise

    def _take(self) -> TransferConnection:
        try:
            idle = self._idle.popleft()
        except IndexError:
            return self._connect()
        return idle.result()

    def keep_idle(self, connection: TransferConnection) -> None:
        """Take a connection whose work is done: the next file's first worker has it."""
        idle = Future[TransferConnection]()
        idle.set_result(connection)
        self._idle.append(idle)
        if self._over:  # it was dialled slowly, and nobody waited for it
            self.hang_up_idle()

    def hang_up_idle(self) -> None:
        """Close the idle ones: their work did not come, or they may be as dead as one that was."""
        with suppress(IndexError):  # none is left; another thread may have taken the last
            while True:
                self._idle.popleft().add_done_callback(_hang_up)

    def check_cancelled(self) -> None:
        """Raise `cancelled` when the user stopped it."""
        if self.cancel.is_set():
            raise cancelled()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _start(work: Callable[[], T]) -> Future[T]:
    """Do `work` in a thread of its own."""
    answer = Future[T]()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=run, name="transfer-question", daemon=True).start()
    return answer


def _hang_up(dialled: Future[TransferConnection]) -> None:
    if dialled.exception() is None:
        dialled.result().close()


def wait_for(
    future: Future[T], cancel: threading.Event, tick: float, on_tick: Callable[[], None]
) -> T:
    """The future's result, or `cancelled`; `on_tick` is called every `tick` seconds until then."""
    while not cancel.is_set():
        if wait((future,), tick).done:
            return future.result()
        on_tick()
    raise cancelled()


def cancelled() -> Problem:
    """Make the Problem for a transfer that the user stopped."""
    return Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED)
