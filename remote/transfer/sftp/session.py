"""An SFTP version 3 session over one channel: opening, asking, and the raw inbox."""

from __future__ import annotations

import re
from collections.abc import Callable

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.interfaces import TransferStream, connection_cut
from sovdeck.remote.transfer.core.receive_buffer import ReceiveBuffer
from sovdeck.remote.transfer.sftp import packets as wire
from sovdeck.remote.transfer.sftp.packets import garbled

# A packet of at most 64 KiB - 1 and kind VERSION: its first two bytes cannot be text.
_VERSION = re.compile(rb"\x00\x00..\x02", re.DOTALL)
_VERSION_BYTES = 5
_SHELL_OUTPUT_LIMIT = 64 << 10


class SftpInbox(ReceiveBuffer):
    """The packets that came. EOF in the middle is a cut line."""

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
            if self.held > _SHELL_OUTPUT_LIMIT:
                raise garbled(f"{_SHELL_OUTPUT_LIMIT} bytes without an answer to hello")
            self.fill(self.held + 1)

    def read_packet(self) -> tuple[int, wire.PacketReader]:
        """Take the next packet: its kind and its body."""
        kind, length = self.read_header()
        return kind, wire.PacketReader(self.take(length))


class SftpSession:
    """One SFTP channel.

    INIT and the first requests go in one flight. `read_size`/`write_size`: payload bytes one
    request may carry, known after the first `open`. Not thread-safe: one thread a session.
    """

    def __init__(self, stream: TransferStream) -> None:
        self._stream = stream
        self.inbox = SftpInbox(stream, lambda: None)
        self._last_id = 0
        self.read_size = self.write_size = wire.DEFAULT_PAYLOAD
        self._version_received = False
        self.send(wire.init())

    def receive_version(self) -> None:
        """Wait for the server's VERSION, once. Problem when it is not SFTP version 3."""
        if self._version_received:
            return
        self.inbox.skip_to_version()
        kind, reader = self.inbox.read_packet()
        if kind != wire.VERSION:
            raise garbled(f"hello was answered with packet {kind}")
        wire.check_version(reader)
        self._version_received = True

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
            number = reader.u32()
            if number not in ids:
                raise garbled(f"an answer to request {number}, which is not open")
            replies[number] = (kind, reader)
        return [replies[i] for i in ids]

    def open(self, path: str, flags: int) -> tuple[bytes, wire.FileAttributes]:
        """Open `path`; returns its handle and its attributes, after one flight.

        Raises Problem when the file is missing or may not be opened.
        """
        opened, found, sizes = self.request(
            lambda i: wire.open_file(i, path, flags),
            lambda i: wire.request(wire.STAT, i, wire.path_string(path)),
            lambda i: wire.extended(i, wire.LIMITS),
        )
        handle = self._expect(wire.HANDLE, path, opened).string()
        kind, reader = sizes
        if kind == wire.EXTENDED_REPLY:  # a server that does not know the question says so
            self.read_size, self.write_size = wire.payload_limits(reader)
        return handle, self._expect(wire.ATTRS, path, found).attributes()

    def _expect(
        self, wanted: int, path: str, reply: tuple[int, wire.PacketReader]
    ) -> wire.PacketReader:
        """The body of a reply of the wanted kind; the Problem that a STATUS says instead."""
        kind, reader = reply
        if kind == wire.STATUS:
            raise status_problem(path, wire.parse_status(reader))
        if kind != wanted:
            raise garbled(f"packet {kind} where {wanted} was due")
        return reader

    def close_file(self, handle: bytes) -> None:
        """Close and wait: the server has then taken every write. Problem when it had not."""
        (reply,) = self.request(lambda i: wire.request(wire.CLOSE, i, wire.string(handle)))
        self.expect_ok("close", reply)

    def expect_ok(self, path: str, reply: tuple[int, wire.PacketReader]) -> None:
        """Raise the Problem that a STATUS reply says, unless it is OK."""
        kind, reader = reply
        if kind != wire.STATUS:
            raise garbled(f"packet {kind} where a status was due")
        answer = wire.parse_status(reader)
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
