"""Ranges of a remote file, read with many requests on the way at once."""

from __future__ import annotations

from typing import Protocol

from engine.contract.problem import ExitCode, Problem
from remote.transfer import wire
from remote.transfer.bandwidth import Cap
from remote.transfer.lane import Lane
from remote.transfer.ranges import Range, RangeQueue
from remote.transfer.sftp import Session, garbled, refused


class Sink(Protocol):
    """Where received bytes go: `write` takes parts, `finished` says that a range is whole."""

    def write(self, offset: int, data: memoryview) -> None: ...
    def finished(self, start: int, end: int) -> None: ...


class Carver:
    """Cuts request-sized pieces from the queue; remembers what it took and did not use."""

    def __init__(self, queue: RangeQueue, size: int) -> None:
        self._queue = queue
        self._size = size
        self._lease: Range | None = None
        self._again: list[Range] = []

    def next(self) -> Range | None:
        if self._again:
            return self._again.pop()
        if self._lease is None:
            self._lease = self._queue.take()
        if self._lease is None:
            return None
        start, end = self._lease
        cut = min(end, start + self._size)
        self._lease = (cut, end) if cut < end else None
        return start, cut

    def again(self, start: int, end: int) -> None:
        self._again.append((start, end))

    def unused(self) -> list[Range]:
        rest = self._again + ([self._lease] if self._lease else [])
        self._again, self._lease = [], None
        return rest


def receive(
    session: Session,
    handle: bytes,
    path: str,
    queue: RangeQueue,
    sink: Sink,
    lane: Lane,
    *,
    inflight: int,
    cap: Cap,
) -> None:
    """Read ranges of `queue` into `sink` until none waits or the lane is told to leave.

    Whatever was not received is given back to the queue, also when this raises.
    """
    carver = Carver(queue, session.read_size)
    owed: dict[int, Range] = {}
    inflight = cap.inflight(inflight, session.read_size)
    out = 0
    try:
        while True:
            # Asked in batches of an eighth: one SSH packet then carries many requests.
            if out <= inflight - max(session.read_size, inflight // 8) or not owed:
                batch = []
                while out < inflight and not lane.leave.is_set():
                    piece = carver.next()
                    if piece is None:
                        break
                    number = session.next_id()
                    owed[number] = piece
                    out += piece[1] - piece[0]
                    batch.append(wire.read(number, handle, piece[0], piece[1] - piece[0]))
                    wait = cap.delay(piece[1] - piece[0])
                    if wait:
                        break
                if batch:
                    lane.owe(True)
                    session.send(b"".join(batch))
                    if wait:
                        lane.leave.wait(wait)
                        lane.mark()
            if not owed:
                return
            start, end, got = _one_reply(session, path, owed, sink)
            out -= end - start
            sink.finished(start, got)
            queue.done(got - start)
            if got < end:  # a short read: ask for the rest again
                carver.again(got, end)
    finally:
        lane.owe(False)
        queue.give_back([*carver.unused(), *owed.values()])


def _one_reply(
    session: Session, path: str, owed: dict[int, Range], sink: Sink
) -> tuple[int, int, int]:
    """Take one DATA packet; returns (start, end asked for, end received)."""
    inbox = session.inbox
    kind, length = inbox.frame_head()
    if length < 8:
        raise garbled(f"an answer of {length} bytes")
    number = int.from_bytes(inbox.take(4), "big")
    piece = owed.get(number)
    if piece is None:
        raise garbled(f"an answer to request {number}, which is not open")
    start, end = piece
    if kind == wire.STATUS:
        try:
            answer = wire.status(wire.Reader(inbox.take(length - 4)))
        except wire.Malformed as error:
            raise garbled(str(error)) from error
        if answer.code == wire.EOF:  # shorter than it was when we asked for its size
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=path)
        raise refused(path, answer)
    count = int.from_bytes(inbox.take(4), "big")
    if kind != wire.DATA or count != length - 8 or not 0 < count <= end - start:
        raise garbled(f"packet {kind} with {count} bytes where at most {end - start} were asked")
    at = start

    def put(part: memoryview) -> None:
        nonlocal at
        sink.write(at, part)
        at += len(part)

    inbox.spill(count, put)
    del owed[number]
    return start, end, start + count
