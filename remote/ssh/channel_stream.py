"""One SSH channel as a blocking byte stream that tells a clean end from a dead connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from sovdeck.remote.errors import ConnectionLost, InputClosed
from sovdeck.remote.ssh.login_shell import refusal, split_output

STDERR_LIMIT = 64 << 10
_PREAMBLE_LIMIT = 256 << 10
_POLL_S = 1.0  # paramiko's blocking calls return this often, so that a lost connection is seen
_STATUS_WAIT_S = 10.0
MAX_LINE = 1 << 20  # bytes; whatever prints longer lines is no program of ours
_READ_SIZE = 1 << 20
# Of Linux, by the names of RFC 4254: this laptop's system may have other numbers, or none.
_SIGNAL_NUMBERS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "ILL": 4,
    "ABRT": 6,
    "FPE": 8,
    "KILL": 9,
    "SEGV": 11,
    "PIPE": 13,
    "ALRM": 14,
    "TERM": 15,
}


class Pipe(Protocol):
    """The part of paramiko.BufferedPipe used here."""

    def set_event(self, event: Any) -> None:
        """Let `event` be set when data arrives or the pipe ends."""


class Channel(Protocol):
    """The part of paramiko.Channel used here; see its documentation."""

    closed: bool
    exit_status: int
    exit_signal: str
    eof_received: bool
    status_event: threading.Event
    in_buffer: Pipe
    in_stderr_buffer: Pipe

    def recv(self, nbytes: int) -> bytes:
        """Up to `nbytes` of stdout; b"" at its end."""

    def recv_ready(self) -> bool:
        """Whether `recv` would return at once."""

    def recv_stderr(self, nbytes: int) -> bytes:
        """Up to `nbytes` of stderr; b"" at its end."""

    def recv_stderr_ready(self) -> bool:
        """Whether `recv_stderr` would return at once."""

    def send(self, s: Any) -> int:
        """Send some of `s` as stdin; how many bytes went, 0 when the channel is closed."""

    def settimeout(self, timeout: float | None) -> None:
        """Let blocking calls raise TimeoutError after `timeout` seconds."""

    def shutdown_write(self) -> None:
        """Send EOF."""

    def close(self) -> None:
        """Close the channel in both directions."""


class _ArrivalEvent:
    """Set when stdout or stderr has data or ended.

    Only the reader clears it: paramiko would clear it when one of the two runs empty, and data of
    the other would go unnoticed.
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """Do nothing; paramiko calls this, see above."""

    def reset(self) -> None:
        self._event.clear()

    def wait(self, timeout: float | None) -> bool:
        return self._event.wait(timeout)


class ConnectionHealth(Protocol):
    """What a stream asks the connection it runs over."""

    @property
    def name(self) -> str:
        """The server's name, for messages."""

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""

    def failure_reason(self) -> str:
        """Why it ended, for a message."""


class ChannelStream:
    """One channel; blocking; safe to close from another thread.

    exit_code: None until the stream ended; 128 and its number where a signal ended the program, as
    a shell has it; 255 where the server told neither, as OpenSSH does. preamble: what the login
    shell printed before the command of `sovdeck.remote.ssh.login_shell.encode_command` began; kept
    out of what `read` returns.
    """

    def __init__(
        self,
        channel: Channel,
        connection: ConnectionHealth,
        *,
        stderr_limit: int = STDERR_LIMIT,
        marked: bool = False,
    ) -> None:
        self._channel = channel
        self._connection = connection
        self._stderr = bytearray()
        self._stderr_limit = stderr_limit
        self._closed = False
        self._before_mark = marked
        self.preamble = b""
        self._output = b""  # came with the mark and was not read yet
        self.exit_code: int | None = None
        self._arrival = _ArrivalEvent()
        channel.settimeout(_POLL_S)
        channel.in_buffer.set_event(self._arrival)
        channel.in_stderr_buffer.set_event(self._arrival)

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not (self._closed or self._channel.closed)

    @property
    def stderr(self) -> bytes:
        """The last `stderr_limit` bytes (64 KiB) that the program wrote to stderr."""
        return bytes(self._stderr)

    def read(self, n: int = 65536, *, deadline: float | None = None) -> bytes:
        """Return 1..n bytes, or b"" at the end of the stream.

        deadline: a `time.monotonic()` value after which TimeoutError is raised.
        Raises ConnectionLost when the connection died first, and Problem `no_commands` when the
        login shell ended without running the command.
        """
        if n <= 0:
            return b""
        if self._before_mark:
            self._read_preamble(deadline)
        if self._output:
            data, self._output = self._output[:n], self._output[n:]
            return data
        return self._read_channel(n, deadline)

    def _read_preamble(self, deadline: float | None) -> None:
        """Read up to the mark that the command prints first."""
        while (parts := split_output(self.preamble)) is None:
            data = self._read_channel(65536, deadline)
            if self._closed:
                return
            if not data or len(self.preamble) > _PREAMBLE_LIMIT:
                raise refusal(self._connection.name, self.preamble.strip() or self.stderr)
            self.preamble += data
        self._before_mark = False
        self.preamble, self._output = parts

    def _read_channel(self, n: int, deadline: float | None) -> bytes:
        while not self._closed:
            self._arrival.reset()
            self._drain_stderr()
            if self._channel.recv_ready():
                return self._recv(self._channel.recv, n)
            if self._channel.eof_received or self._channel.closed:
                # Data may have come between the two checks.
                data = self._recv(self._channel.recv, n)
                if not data:
                    self._read_exit_status(deadline)
                return data
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._arrival.wait(left)
        return b""

    def read_all(self, *, limit: int, deadline: float | None = None) -> bytes:
        """Read to the end of the stream; see `read`. OverflowError past `limit` bytes."""
        chunks, size = [], 0
        while chunk := self.read(_READ_SIZE, deadline=deadline):
            size += len(chunk)
            if size > limit:
                raise OverflowError
            chunks.append(chunk)
        return b"".join(chunks)

    def lines(self) -> Iterator[bytes]:
        """Lines without newline; a last unterminated one is yielded too.

        One longer than MAX_LINE is yielded in pieces.
        """
        rest = b""
        while data := self.read():
            head, newline, tail = data.rpartition(b"\n")
            if newline:
                yield from (rest + head).split(b"\n")
                rest = tail
            else:
                rest += data
            if len(rest) > MAX_LINE:
                yield rest
                rest = b""
        if rest:
            yield rest

    def write(self, data: bytes) -> None:
        """Send all of `data`; ConnectionLost, or InputClosed, when it cannot be."""
        view = memoryview(data)
        while view:
            try:
                sent = self._channel.send(view)
            except TimeoutError:
                continue  # the server's window is closed; a lost connection raises OSError
            except (OSError, EOFError):
                sent = 0
            if not sent:  # how paramiko says that the channel closed meanwhile
                self._raise_if_lost()
                raise InputClosed(self._connection.name)
            view = view[sent:]

    def close_write(self) -> None:
        """Tell the program that its input ended; its output can still be read."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            self._raise_if_lost()

    def _recv(self, receive: Callable[[int], bytes], n: int) -> bytes:
        try:
            return receive(n)
        except (OSError, EOFError):
            # Reading also tells the server that its window is free again, which a connection
            # that is just ending refuses with a bare error.
            if self._closed:
                return b""
            raise ConnectionLost(self._connection.name, self._connection.failure_reason()) from None

    def close(self) -> None:
        """End the channel. A reader in another thread gets b""."""
        self._closed = True
        self._arrival.set()
        # The connection may have ended a moment before: then there is nobody to tell.
        with contextlib.suppress(OSError, EOFError):
            self._channel.close()

    def __enter__(self) -> ChannelStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _raise_if_lost(self) -> None:
        if not self._connection.alive and not self._closed:
            raise ConnectionLost(self._connection.name, self._connection.failure_reason())

    def _drain_stderr(self) -> None:
        while self._channel.recv_stderr_ready():
            self._stderr += self._recv(self._channel.recv_stderr, _READ_SIZE)
            if len(self._stderr) > self._stderr_limit:
                del self._stderr[: -self._stderr_limit]

    def _read_exit_status(self, deadline: float | None) -> None:
        if self._closed:
            return
        if not self._channel.eof_received:
            self._raise_if_lost()
        wait = _STATUS_WAIT_S if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._channel.status_event.wait(wait) and deadline is not None:
            raise TimeoutError
        self._drain_stderr()
        status = self._channel.exit_status
        if status < 0 and not self._channel.eof_received:
            self._raise_if_lost()
        if status < 0:
            number = _SIGNAL_NUMBERS.get(self._channel.exit_signal)
            status = 255 if number is None else 128 + number
        self.exit_code = status
