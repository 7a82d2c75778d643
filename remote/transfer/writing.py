"""Ranges of a local file, written to the server with many requests on the way at once."""

from __future__ import annotations

from collections.abc import Callable

from remote.transfer import wire
from remote.transfer.bandwidth import Cap
from remote.transfer.lane import Lane
from remote.transfer.ranges import Range, RangeQueue
from remote.transfer.reading import Carver
from remote.transfer.sftp import Session, garbled

# Reads `count` bytes at `offset` of the local file; fewer only when it became shorter.
Read = Callable[[int, int], bytes]


def send(
    session: Session,
    handle: bytes,
    path: str,
    queue: RangeQueue,
    read: Read,
    moved: Callable[[int], None],
    lane: Lane,
    *,
    inflight: int,
    cap: Cap,
) -> None:
    """Write ranges of `queue` until none waits or the lane is told to leave.

    A range counts as moved when the server has said so; what it has not confirmed is given back
    to the queue, also when this raises.
    """
    carver = Carver(queue, session.write_size)
    owed: dict[int, Range] = {}
    inflight = cap.inflight(inflight, session.write_size)
    out = 0
    try:
        while True:
            while out < inflight and not lane.leave.is_set():
                piece = carver.next()
                if piece is None:
                    break
                start, end = piece
                number = session.next_id()
                owed[number] = piece
                out += end - start
                lane.owe(True)
                session.send(wire.write(number, handle, start, read(start, end - start)))
                lane.mark()
                if wait := cap.delay(end - start):
                    lane.leave.wait(wait)
                    lane.mark()
                    break
            if not owed:
                return
            kind, reader = session.inbox.frame()
            try:
                number = reader.u32()
            except wire.Malformed as error:
                raise garbled(str(error)) from error
            if number not in owed:
                raise garbled(f"an answer to request {number}, which is not open")
            session.expect_ok(path, (kind, reader))
            start, end = owed.pop(number)
            out -= end - start
            queue.done(end - start)
            moved(end - start)
    finally:
        lane.owe(False)
        queue.give_back([*carver.unused(), *owed.values()])
