"""An SFTP version 3 session over one channel: opening, asking, and the raw inbox."""

from __future__ import annotations

import re
import struct

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.interfaces import TransferStream, connection_cut
from sovdeck.remote.transfer.core.receive_buffer import ReceiveBuffer
from sovdeck.remote.transfer.sftp import packets as wire
from sovdeck.remote.transfer.sftp.packets import PacketReader, garbled

# A packet of at most 64 KiB - 1 and kind VERSION: its first two bytes cannot be text.
_VERSION = re.compile(rb"\x00\x00..\x02", re.DOTALL)
_VERSION_BYTES = 5
_SHELL_OUTPUT_LIMIT = 64 << 10

Reply = tuple[int, PacketReader]  # kind and body


class SftpInbox(ReceiveBuffer):
    """The packets that came. EOF in the middle is a cut line."""

    def read_header(self) -> tuple[int, int]:
        """(kind, length of the rest) of the next packet."""
        length = int.from_bytes(self.take(4), "big")
        if not 1 <= length <= wire.MAX_REPLY:
            raise garbled(f"a packet of {length} bytes")
        return self.take(1)[0], length - 1

    def read_packet(self) -> Reply:
        """Take the next packet: its kind and its body."""
        kind, length = self.read_header()
        return kind, PacketReader(self.take(length))

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
        self._to_close: list[bytes] = []
        self.send(wire.request(wire.INIT, 3, b""))  # its number is the version

    def receive_version(self) -> None:
        """Wait for the server's VERSION, once. Problem when it is not SFTP version 3."""
        if self._version_received:
            return
        self.inbox.skip_to_version()
        kind, reader = self.inbox.read_packet()
        if kind != wire.VERSION:
            raise garbled(f"hello was answered with packet {kind}")
        if reader.u32() < 3:  # extensions follow, of which none is needed
            raise garbled("the server speaks an SFTP older than version 3")
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

    def request(self, *packets: tuple[int, bytes]) -> list[Reply]:
        """Send several (kind, payload) in one flight and wait for their replies, in this order."""
        numbered = {self.next_id(): packet for packet in packets}
        self.send(b"".join(wire.request(kind, i, body) for i, (kind, body) in numbered.items()))
        self.receive_version()
        replies: dict[int, Reply] = {}
        while len(replies) < len(numbered):
            kind, reader = self.inbox.read_packet()
            number = reader.u32()
            if number not in numbered:
                raise garbled(f"an answer to request {number}, which is not open")
            replies[number] = (kind, reader)
        return [replies[i] for i in numbered]

    def open(self, path: str, flags: int) -> tuple[bytes, wire.FileAttributes]:
        """Open `path`; returns its handle and its attributes, after one flight.

        Raises Problem when the file is missing or may not be opened.
        """
        name = wire.string(path.encode("utf-8", "surrogateescape"))
        closes = [(wire.CLOSE, wire.string(handle)) for handle in self._to_close]
        self._to_close.clear()
        *closed, opened, found, sizes = self.request(
            *closes,
            (wire.OPEN, name + struct.pack(">II", flags, 0)),
            (wire.STAT, name),
            (wire.EXTENDED, wire.string(wire.LIMITS)),
        )
        for reply in closed:
            self.expect(wire.STATUS, "close", reply)
        handle = self.expect(wire.HANDLE, path, opened).string()
        kind, reader = sizes
        if kind == wire.EXTENDED_REPLY:  # a server that does not know the question says so
            self.read_size, self.write_size = reader.payload_limits()
        return handle, self.expect(wire.ATTRS, path, found).attributes()

    def close_file(self, handle: bytes) -> None:
        """Close with the next `open`, or with the channel: every write was answered before."""
        self._to_close.append(handle)

    def expect(self, wanted: int, path: str, reply: Reply) -> PacketReader:
        """The body of a reply of the wanted kind; raises the Problem that a STATUS says instead."""
        kind, reader = reply
        if kind == wire.STATUS and (problem := reader.status_problem(path)) is not None:
            raise problem
        if kind != wanted:
            raise garbled(f"packet {kind} where {wanted} was due")
        return reader

    def close(self) -> None:
        """Close the channel."""
        self._stream.close()
