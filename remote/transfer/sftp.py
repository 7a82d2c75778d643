"""An SFTP version 3 session over one channel: opening, asking, and the raw inbox."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote.transfer import wire
from remote.transfer.channel import Stream, cut, read_some
from remote.transfer.ramp import NEAR

CHUNK = 1 << 20
DOUBTFUL = 0.050  # seconds a program may take to start on a busy server


class Inbox:
    """The bytes that came and were not read yet. EOF in the middle is a cut line."""

    def __init__(self, stream: Stream, heard: Callable[[], None]) -> None:
        self._stream = stream
        self._heard = heard
        self._bytes = b""
        self._at = 0

    def _more(self) -> bytes:
        data = read_some(self._stream, CHUNK)
        if not data:
            raise cut()
        self._heard()
        return data

    def need(self, count: int) -> None:
        while len(self._bytes) - self._at < count:
            data = self._more()
            self._bytes = self._bytes[self._at :] + data if self._at < len(self._bytes) else data
            self._at = 0

    def take(self, count: int) -> memoryview:
        self.need(count)
        part = memoryview(self._bytes)[self._at : self._at + count]
        self._at += count
        return part

    def spill(self, count: int, sink: Callable[[memoryview], None]) -> None:
        """Hand the next `count` bytes to `sink` as they come, without joining them first."""
        while count:
            if self._at == len(self._bytes):
                self._bytes, self._at = self._more(), 0
            part = memoryview(self._bytes)[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            sink(part)

    def frame_head(self) -> tuple[int, int]:
        """(kind, length of the rest) of the next packet."""
        length = int.from_bytes(self.take(4), "big")
        if not 1 <= length <= wire.MOST_REPLY:
            raise garbled(f"a packet of {length} bytes")
        return self.take(1)[0], length - 1

    def frame(self) -> tuple[int, wire.Reader]:
        kind, length = self.frame_head()
        return kind, wire.Reader(self.take(length))


def garbled(why: str) -> Problem:
    return Problem("remote.transfer.garbled", ExitCode.UNREACHABLE, why=why)


class Session:
    """One SFTP channel.

    The hello and the first questions go in one flight; `rtt` is the seconds the hello took.
    `read_size`/`write_size`: payload bytes one request may carry, known after the first `open`.
    Not thread-safe: one thread a session.
    """

    def __init__(self, stream: Stream, heard: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self.heard = heard
        self.inbox = Inbox(stream, lambda: self.heard())
        self._last_id = 0
        self.read_size = self.write_size = wire.PLAIN_PAYLOAD
        self.rtt = 0.0
        self._greeted = self._has_sizes = False
        self._asked = monotonic()
        self.send(wire.init())

    def greet(self) -> None:
        """Wait for the server's hello, once. Problem when it is not SFTP version 3."""
        if self._greeted:
            return
        kind, reader = self.inbox.frame()
        self.rtt = monotonic() - self._asked
        try:
            if kind != wire.VERSION:
                raise garbled(f"hello was answered with packet {kind}")
            wire.check_version(reader)
        except wire.Malformed as error:
            raise garbled(str(error)) from error
        self._greeted = True

    def round_trip(self, path: str) -> float:
        """Seconds to the server and back. The hello also waits for a program to start there, so
        one that leaves a doubt is followed by a plain question."""
        if NEAR <= self.rtt < DOUBTFUL:
            began = monotonic()
            self.ask(lambda i: wire.request(wire.STAT, i, wire.path_string(path)))
            self.rtt = min(self.rtt, monotonic() - began)
        return self.rtt

    def next_id(self) -> int:
        self._last_id = (self._last_id + 1) & 0xFFFFFFFF
        return self._last_id

    def send(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERNAL:  # the server's SFTP program ended
                raise cut() from problem
            raise

    def ask(self, *packets: Callable[[int], bytes]) -> list[tuple[int, wire.Reader]]:
        """Send several requests in one flight and wait for all replies, in request order."""
        ids = [self.next_id() for _ in packets]
        self.send(b"".join(make(i) for make, i in zip(packets, ids, strict=True)))
        self.greet()
        replies: dict[int, tuple[int, wire.Reader]] = {}
        while len(replies) < len(ids):
            kind, reader = self.inbox.frame()
            try:
                number = reader.u32()
            except wire.Malformed as error:
                raise garbled(str(error)) from error
            if number not in ids:
                raise garbled(f"an answer to request {number}, which is not open")
            replies[number] = (kind, reader)
        return [replies[i] for i in ids]

    def open(self, path: str, flags: int) -> tuple[bytes, wire.Attributes | None]:
        """Open `path`; with its attributes when it is opened for reading (one flight).

        Raises Problem when the file is missing or may not be opened.
        """
        packets: list[Callable[[int], bytes]] = [lambda i: wire.open_file(i, path, flags)]
        if flags & wire.FOR_READING:
            packets.append(lambda i: wire.request(wire.STAT, i, wire.path_string(path)))
        asks_sizes = not self._has_sizes
        if asks_sizes:  # a server that does not know the question says so, which is an answer
            packets.append(lambda i: wire.extended(i, wire.LIMITS))
        replies = self.ask(*packets)
        self._has_sizes = True
        try:
            if asks_sizes:
                kind, reader = replies.pop()
                if kind == wire.EXTENDED_REPLY:
                    self.read_size, self.write_size = wire.payload_limits(reader)
            kind, reader = replies[0]
            if kind == wire.STATUS:
                raise refused(path, wire.status(reader))
            if kind != wire.HANDLE:
                raise garbled(f"open was answered with packet {kind}")
            handle = reader.string()
            return handle, self._attributes(path, replies[1]) if len(replies) > 1 else None
        except wire.Malformed as error:
            raise garbled(str(error)) from error

    def stat(self, path: str) -> wire.Attributes:
        (reply,) = self.ask(lambda i: wire.request(wire.STAT, i, wire.path_string(path)))
        try:
            return self._attributes(path, reply)
        except wire.Malformed as error:
            raise garbled(str(error)) from error

    def _attributes(self, path: str, reply: tuple[int, wire.Reader]) -> wire.Attributes:
        kind, reader = reply
        if kind == wire.STATUS:
            raise refused(path, wire.status(reader))
        if kind != wire.ATTRS:
            raise garbled(f"stat was answered with packet {kind}")
        return reader.attributes()

    def close_file(self, handle: bytes) -> None:
        """Close and wait: the server has then taken every write. Problem when it had not."""
        (reply,) = self.ask(lambda i: wire.request(wire.CLOSE, i, wire.string(handle)))
        self.expect_ok("close", reply)

    def expect_ok(self, path: str, reply: tuple[int, wire.Reader]) -> None:
        kind, reader = reply
        if kind != wire.STATUS:
            raise garbled(f"packet {kind} where a status was due")
        try:
            answer = wire.status(reader)
        except wire.Malformed as error:
            raise garbled(str(error)) from error
        if answer.code != wire.OK:
            raise refused(path, answer)

    def close(self) -> None:
        self._stream.close()


def refused(path: str, answer: wire.Status) -> Problem:
    """The server's "no" as a Problem."""
    if answer.code == wire.NO_SUCH_FILE:
        return Problem("remote.transfer.no_such_file", ExitCode.DATA, path=path)
    if answer.code == wire.PERMISSION_DENIED:
        return Problem("remote.transfer.not_allowed", ExitCode.DATA, path=path)
    why = answer.message or f"status {answer.code}"
    return Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)
