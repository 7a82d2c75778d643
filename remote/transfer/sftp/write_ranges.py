"""Ranges of a local file, written to the server with many requests on the way at once."""

from __future__ import annotations

from collections.abc import Callable

from sovdeck.remote.transfer.core.ranges import Range, RangeQueue
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.worker import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.read_ranges import RequestSplitter
from sovdeck.remote.transfer.sftp.session import SftpSession, garbled

# Reads `count` bytes at `offset` of the local file; fewer only when it became shorter.
ReadAt = Callable[[int, int], bytes]


def write_ranges(
    session: SftpSession,
    handle: bytes,
    path: str,
    queue: RangeQueue,
    read: ReadAt,
    moved: Callable[[int], None],
    state: WorkerState,
    *,
    inflight: int,
    limiter: RateLimiter,
) -> None:
    """Write ranges of `queue` until none waits or a stop is requested.

    A range counts as moved when the server has said so; what it has not confirmed is given back
    to the queue, also when this raises.
    """
    splitter = RequestSplitter(queue, session.write_size)
    pending: dict[int, Range] = {}
    inflight = limiter.inflight(inflight, session.write_size)
    requested = 0
    try:
        while True:
            while requested < inflight and not state.stop_requested.is_set():
                part = splitter.next()
                if part is None:
                    break
                start, end = part
                number = session.next_id()
                pending[number] = part
                requested += end - start
                state.set_awaiting_data(True)
                session.send(packets.write(number, handle, start, read(start, end - start)))
                state.mark_active()
                if wait := limiter.delay(end - start):
                    state.stop_requested.wait(wait)
                    state.mark_active()
                    break
            if not pending:
                return
            kind, reader = session.inbox.read_packet()
            try:
                number = reader.u32()
            except packets.MalformedPacket as error:
                raise garbled(str(error)) from error
            if number not in pending:
                raise garbled(f"an answer to request {number}, which is not open")
            session.expect_ok(path, (kind, reader))
            start, end = pending.pop(number)
            requested -= end - start
            queue.done(end - start)
            moved(end - start)
    finally:
        state.set_awaiting_data(False)
        queue.give_back([*splitter.remaining(), *pending.values()])
