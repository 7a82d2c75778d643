"""An SFTP version 3 session over one channel: opening, asking, and the raw inbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import monotonic

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.concurrency import NEAR_RTT
from sovdeck.remote.transfer.core.interfaces import TransferStream, connection_cut, read_some
from sovdeck.remote.transfer.sftp import packets as wire

CHUNK = 1 << 20
# A packet of at most 64 KiB - 1 and kind VERSION: its first two bytes cannot be text.
_VERSION = re.compile(rb"\x00\x00..\x02", re.DOTALL)
_VERSION_BYTES = 5
_SHELL_OUTPUT_LIMIT = 64 << 10
PROGRAM_START_S = 0.050  # seconds a program may take to start on a busy server


class ReceiveBuffer:
    """The bytes that came and were not read yet. EOF in the middle is a cut line."""

    def __init__(self, stream: TransferStream, on_data: Callable[[], None]) -> None:
        self._stream = stream
        self._on_data = on_data
        self._bytes = b""
        self._at = 0

    def _more(self) -> bytes:
        data = read_some(self._stream, CHUNK)
        if not data:
            raise connection_cut()
        self._on_data()
        return data

    def fill(self, count: int) -> None:
        """Read until `count` bytes are here."""
        while len(self._bytes) - self._at < count:
            data = self._more()
            self._bytes = self._bytes[self._at :] + data if self._at < len(self._bytes) else data
            self._at = 0

    def take(self, count: int) -> memoryview:
        """Take the next `count` bytes."""
        self.fill(count)
        part = memoryview(self._bytes)[self._at : self._at + count]
        self._at += count
        return part

    def copy_to(self, count: int, sink: Callable[[memoryview], None]) -> None:
        """Hand the next `count` bytes to `sink` as they come, without joining them first."""
        while count:
            if self._at == len(self._bytes):
                self._bytes, self._at = self._more(), 0
            part = memoryview(self._bytes)[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            sink(part)

    def read_header(self) -> tuple[int, int]:
        """(kind, length of the rest) of the next packet."""
        length = int.from_bytes(self.take(4), "big")
        if not 1 <= length <= wire.MAX_REPLY:
            raise garbled(f"a packet of {length} bytes")
        return self.take(1)[0], length - 1

    def skip_to_version(self) -> None:
        """Drop what the login shell printed before the server's VERSION, its first packet."""
        self.fill(_VERSION_BYTES)
        while self._bytes[self._at : self._at + 2] != b"\x00\x00":
            found = _VERSION.search(self._bytes, self._at)
            if found is not None:
                self._at = found.start()
                return
            if len(self._bytes) - self._at > _SHELL_OUTPUT_LIMIT:
                raise garbled(f"{_SHELL_OUTPUT_LIMIT} bytes without an answer to hello")
            self.fill(len(self._bytes) - self._at + 1)

    def read_packet(self) -> tuple[int, wire.PacketReader]:
        """Take the next packet: its kind and its body."""
        kind, length = self.read_header()
        return kind, wire.PacketReader(self.take(length))


def garbled(why: str) -> Problem:
    """Make the Problem for bytes that are not SFTP version 3."""
    return Problem("remote.transfer.garbled", ExitCode.UNREACHABLE, why=why)


class SftpSession:
    """One SFTP channel.

    INIT and the first requests go in one flight; `rtt`: seconds until the answer to INIT.
    `read_size`/`write_size`: payload bytes one request may carry, known after the first `open`.
    Not thread-safe: one thread a session.
    """

    def __init__(self, stream: TransferStream, on_data: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self.on_data = on_data
        self.inbox = ReceiveBuffer(stream, lambda: self.on_data())
        self._last_id = 0
        self.read_size = self.write_size = wire.DEFAULT_PAYLOAD
        self.rtt = 0.0
        self._version_received = self._limits_known = False
        self._init_sent_at = monotonic()
        self.send(wire.init())

    def receive_version(self) -> None:
        """Wait for the server's VERSION, once. Problem when it is not SFTP version 3."""
        if self._version_received:
            return
        self.inbox.skip_to_version()
        kind, reader = self.inbox.read_packet()
        self.rtt = monotonic() - self._init_sent_at
        try:
            if kind != wire.VERSION:
                raise garbled(f"hello was answered with packet {kind}")
            wire.check_version(reader)
        except wire.MalformedPacket as error:
            raise garbled(str(error)) from error
        self._version_received = True

    def round_trip(self, path: str) -> float:
        """Seconds to the server and back.

        The first answer also waits for a program to start there; where that leaves a doubt, a
        plain question follows.
        """
        if NEAR_RTT <= self.rtt < PROGRAM_START_S:
            began = monotonic()
            self.request(lambda i: wire.request(wire.STAT, i, wire.path_string(path)))
            self.rtt = min(self.rtt, monotonic() - began)
        return self.rtt

    def next_id(self) -> int:
        """Count up and return a request number."""
        self._last_id = (self._last_id + 1) & 0xFFFFFFFF
        return self._last_id

    def send(self, data: bytes) -> None:
        """Write packets."""
        try:
            self._stream.write(data)
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERNAL:  # the server's SFTP program ended
                raise connection_cut() from problem
            raise

    def request(self, *packets: Callable[[int], bytes]) -> list[tuple[int, wire.PacketReader]]:
        """Send several requests in one flight and wait for all replies, in request order."""
        ids = [self.next_id() for _ in packets]
        self.send(b"".join(make(i) for make, i in zip(packets, ids, strict=True)))
        self.receive_version()
        replies: dict[int, tuple[int, wire.PacketReader]] = {}
        while len(replies) < len(ids):
            kind, reader = self.inbox.read_packet()
            try:
                number = reader.u32()
            except wire.MalformedPacket as error:
                raise garbled(str(error)) from error
            if number not in ids:
                raise garbled(f"an answer to request {number}, which is not open")
            replies[number] = (kind, reader)
        return [replies[i] for i in ids]

    def open(self, path: str, flags: int) -> tuple[bytes, wire.FileAttributes | None]:
        """Open `path`; with its attributes when it is opened for reading (one flight).

        Raises Problem when the file is missing or may not be opened.
        """
        packets: list[Callable[[int], bytes]] = [lambda i: wire.open_file(i, path, flags)]
        if flags & wire.FOR_READING:
            packets.append(lambda i: wire.request(wire.STAT, i, wire.path_string(path)))
        asks_sizes = not self._limits_known
        if asks_sizes:  # a server that does not know the question says so, which is an answer
            packets.append(lambda i: wire.extended(i, wire.LIMITS))
        replies = self.request(*packets)
        self._limits_known = True
        try:
            if asks_sizes:
                kind, reader = replies.pop()
                if kind == wire.EXTENDED_REPLY:
                    self.read_size, self.write_size = wire.payload_limits(reader)
            kind, reader = replies[0]
            if kind == wire.STATUS:
                raise status_problem(path, wire.parse_status(reader))
            if kind != wire.HANDLE:
                raise garbled(f"open was answered with packet {kind}")
            handle = reader.string()
            return handle, self._attributes(path, replies[1]) if len(replies) > 1 else None
        except wire.MalformedPacket as error:
            raise garbled(str(error)) from error

    def stat(self, path: str) -> wire.FileAttributes:
        """Ask for the attributes of `path`."""
        (reply,) = self.request(lambda i: wire.request(wire.STAT, i, wire.path_string(path)))
        try:
            return self._attributes(path, reply)
        except wire.MalformedPacket as error:
            raise garbled(str(error)) from error

    def _attributes(self, path: str, reply: tuple[int, wire.PacketReader]) -> wire.FileAttributes:
        kind, reader = reply
        if kind == wire.STATUS:
            raise status_problem(path, wire.parse_status(reader))
        if kind != wire.ATTRS:
            raise garbled(f"stat was answered with packet {kind}")
        return reader.attributes()

    def close_file(self, handle: bytes) -> None:
        """Close and wait: the server has then taken every write. Problem when it had not."""
        (reply,) = self.request(lambda i: wire.request(wire.CLOSE, i, wire.string(handle)))
        self.expect_ok("close", reply)

    def expect_ok(self, path: str, reply: tuple[int, wire.PacketReader]) -> None:
        """Raise the Problem that a STATUS reply says, unless it is OK."""
        kind, reader = reply
        if kind != wire.STATUS:
            raise garbled(f"packet {kind} where a status was due")
        try:
            answer = wire.parse_status(reader)
        except wire.MalformedPacket as error:
            raise garbled(str(error)) from error
        if answer.code != wire.OK:
            raise status_problem(path, answer)

    def close(self) -> None:
        """Close the channel."""
        self._stream.close()


def status_problem(path: str, answer: wire.StatusReply) -> Problem:
    """The server's "no" as a Problem."""
    if answer.code == wire.NO_SUCH_FILE:
        return Problem("remote.transfer.no_such_file", ExitCode.DATA, path=path)
    if answer.code == wire.PERMISSION_DENIED:
        return Problem("remote.transfer.not_allowed", ExitCode.DATA, path=path)
    why = answer.message or f"status {answer.code}"
    return Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)
