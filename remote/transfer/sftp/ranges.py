"""Ranges of one remote file, read or written with many requests on the way at once."""

from __future__ import annotations

from collections.abc import Callable

from sovdeck.remote.transfer.core.ranges import Range, RangeQueue
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import WINDOW
from sovdeck.remote.transfer.core.worker_pool import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.packets import garbled
from sovdeck.remote.transfer.sftp.session import SftpSession

# Makes the packet of a request from its number, start and end, in pieces.
MakeRequest = Callable[[int, int, int], tuple[bytes, ...]]


class RangeMover:
    """Moves ranges of a queue between a remote file and this computer, over one SFTP session.

    `moved` hears of each part that came, or that the server said it has. What is not moved is
    given back to the queue, also when `read` or `write` raises; either may be called once.
    """

    def __init__(
        self,
        session: SftpSession,
        path: str,
        handle: bytes,
        queue: RangeQueue,
        moved: Callable[[int, int], None],
        limiter: RateLimiter,
        state: WorkerState,
    ) -> None:
        self._session = session
        self._path = path
        self._handle = handle
        self._queue = queue
        self._moved = moved
        self._limiter = limiter
        self._state = state
        self._waiting: list[Range] = []  # taken from the queue and not asked for
        self._pending: dict[int, Range] = {}  # by request number
        self._requested = 0
        session.inbox.on_data = state.mark_active

    def read(self, write: Callable[[int, memoryview], None]) -> None:
        """Hand the bytes with their offset to `write` until no range waits or a stop is asked."""

        def request(number: int, start: int, end: int) -> tuple[bytes, ...]:
            return (packets.read(number, self._handle, start, end - start),)

        # An eighth at a time: one SSH packet then carries many requests.
        self._move(self._session.read_size, WINDOW // 8, request, lambda: self._take_data(write))

    def write(self, read: Callable[[int, int], bytes]) -> None:
        """Send what `read` has at (offset, count) until no range waits or a stop is asked."""

        def request(number: int, start: int, end: int) -> tuple[bytes, ...]:
            data = read(start, end - start)
            return packets.write_head(number, self._handle, start, len(data)), data

        self._move(self._session.write_size, 1, request, self._take_status)

    def _move(
        self,
        size: int,
        batch: int,
        request: MakeRequest,
        take_answer: Callable[[], tuple[Range, int]],
    ) -> None:
        """Keep requests of at most `size` bytes on the way, sent for `batch` bytes at a time.

        `take_answer` takes the range off `_pending` and says up to where it was moved.
        """
        inflight = self._limiter.inflight(WINDOW, size)
        try:
            while True:
                while self._requested <= inflight - max(size, batch):
                    if not self._ask(size, batch, request):
                        break
                if not self._pending:
                    return
                (start, asked), end = take_answer()
                self._requested -= asked - start
                self._moved(start, end)
                self._queue.done(start, end)
                if end < asked:  # a short read: ask for the rest again
                    self._waiting.append((end, asked))
        finally:
            self._state.set_awaiting_data(False)
            self._queue.give_back([*self._waiting, *self._pending.values()])

    def _ask(self, size: int, batch: int, request: MakeRequest) -> bool:
        """Send requests for `batch` bytes; whether more may go before an answer is awaited."""
        pieces: list[bytes] = []
        wait, full = 0.0, self._requested + batch
        while self._requested < full and not wait and (part := self._next(size)) is not None:
            number = self._session.next_id()
            self._pending[number] = part
            self._requested += part[1] - part[0]
            pieces += request(number, *part)
            wait = self._limiter.delay(part[1] - part[0])
        if pieces:
            self._state.set_awaiting_data(True)
            self._session.send(b"".join(pieces))
            self._state.mark_active()
            self._state.pause(wait)
        return bool(pieces) and not wait

    def _next(self, size: int) -> Range | None:
        """The next piece of at most `size` bytes; None when none waits or a stop is asked."""
        if self._state.stop_requested.is_set():
            return None
        lease = self._waiting.pop() if self._waiting else self._queue.take()
        if lease is None:
            return None
        start, end = lease
        cut = min(end, start + size)
        if cut < end:
            self._waiting.append((cut, end))
        return start, cut

    def _take_data(self, write: Callable[[int, memoryview], None]) -> tuple[Range, int]:
        """Take one DATA packet."""
        inbox = self._session.inbox
        kind, length = inbox.read_header()
        if length < 8:
            raise garbled(f"an answer of {length} bytes")
        number = int.from_bytes(inbox.take(4), "big")
        start, end = part = self._asked(number)
        if kind != packets.DATA:
            reply = kind, packets.PacketReader(inbox.take(length - 4))
            self._session.expect(packets.DATA, self._path, reply)
        count = int.from_bytes(inbox.take(4), "big")
        if count != length - 8 or not 0 < count <= end - start:
            raise garbled(f"{count} bytes in {length} where at most {end - start} were asked")
        at = start
        for data in inbox.take_pieces(count):
            write(at, data)
            at += len(data)
        del self._pending[number]
        return part, at

    def _take_status(self) -> tuple[Range, int]:
        """Take the answer to one WRITE."""
        kind, reader = self._session.inbox.read_packet()
        number = reader.u32()
        part = self._asked(number)
        self._session.expect(packets.STATUS, self._path, (kind, reader))
        del self._pending[number]
        return part, part[1]

    def _asked(self, number: int) -> Range:
        part = self._pending.get(number)
        if part is None:
            raise garbled(f"an answer to request {number}, which is not open")
        return part
