"""Ranges of a remote file, read with many requests on the way at once."""

from __future__ import annotations

from typing import Protocol

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.ranges import Range, RangeQueue
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.worker import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.session import SftpSession, garbled, status_problem


class Sink(Protocol):
    """Where received bytes go: `write` takes parts, `finished` says that a range is whole."""

    def write(self, offset: int, data: memoryview) -> None:
        """Take bytes that belong at `offset`."""

    def finished(self, start: int, end: int) -> None:
        """Hear that [start, end) is whole."""


class RequestSplitter:
    """Cuts request-sized pieces from the queue; remembers what it took and did not use."""

    def __init__(self, queue: RangeQueue, size: int) -> None:
        self._queue = queue
        self._size = size
        self._lease: Range | None = None
        self._requeued: list[Range] = []

    def next(self) -> Range | None:
        """Take the next piece; None when nothing waits."""
        if self._requeued:
            return self._requeued.pop()
        if self._lease is None:
            self._lease = self._queue.take()
        if self._lease is None:
            return None
        start, end = self._lease
        cut = min(end, start + self._size)
        self._lease = (cut, end) if cut < end else None
        return start, cut

    def requeue(self, start: int, end: int) -> None:
        """Put back a piece to be asked for again."""
        self._requeued.append((start, end))

    def remaining(self) -> list[Range]:
        """Hand out all that was taken from the queue and not used."""
        rest = self._requeued + ([self._lease] if self._lease else [])
        self._requeued, self._lease = [], None
        return rest


def read_ranges(
    session: SftpSession,
    handle: bytes,
    path: str,
    queue: RangeQueue,
    sink: Sink,
    state: WorkerState,
    *,
    inflight: int,
    limiter: RateLimiter,
) -> None:
    """Read ranges of `queue` into `sink` until none waits or a stop is requested.

    Whatever was not received is given back to the queue, also when this raises.
    """
    splitter = RequestSplitter(queue, session.read_size)
    pending: dict[int, Range] = {}
    inflight = limiter.inflight(inflight, session.read_size)
    requested = 0
    try:
        while True:
            # Asked in batches of an eighth: one SSH packet then carries many requests.
            if requested <= inflight - max(session.read_size, inflight // 8) or not pending:
                batch = []
                while requested < inflight and not state.stop_requested.is_set():
                    part = splitter.next()
                    if part is None:
                        break
                    number = session.next_id()
                    pending[number] = part
                    requested += part[1] - part[0]
                    batch.append(packets.read(number, handle, part[0], part[1] - part[0]))
                    wait = limiter.delay(part[1] - part[0])
                    if wait:
                        break
                if batch:
                    state.set_awaiting_data(True)
                    session.send(b"".join(batch))
                    if wait:
                        state.stop_requested.wait(wait)
                        state.mark_active()
            if not pending:
                return
            start, end, got = _receive_reply(session, path, pending, sink)
            requested -= end - start
            sink.finished(start, got)
            queue.done(got - start)
            if got < end:  # a short read: ask for the rest again
                splitter.requeue(got, end)
    finally:
        state.set_awaiting_data(False)
        queue.give_back([*splitter.remaining(), *pending.values()])


def _receive_reply(
    session: SftpSession, path: str, pending: dict[int, Range], sink: Sink
) -> tuple[int, int, int]:
    """Take one DATA packet; returns (start, end asked for, end received)."""
    inbox = session.inbox
    kind, length = inbox.read_header()
    if length < 8:
        raise garbled(f"an answer of {length} bytes")
    number = int.from_bytes(inbox.take(4), "big")
    part = pending.get(number)
    if part is None:
        raise garbled(f"an answer to request {number}, which is not open")
    start, end = part
    if kind == packets.STATUS:
        try:
            answer = packets.parse_status(packets.PacketReader(inbox.take(length - 4)))
        except packets.MalformedPacket as error:
            raise garbled(str(error)) from error
        if answer.code == packets.EOF:  # shorter than it was when we asked for its size
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=path)
        raise status_problem(path, answer)
    count = int.from_bytes(inbox.take(4), "big")
    if kind != packets.DATA or count != length - 8 or not 0 < count <= end - start:
        raise garbled(f"packet {kind} with {count} bytes where at most {end - start} were asked")
    at = start

    def put(part: memoryview) -> None:
        nonlocal at
        sink.write(at, part)
        at += len(part)

    inbox.copy_to(count, put)
    del pending[number]
    return start, end, start + count
