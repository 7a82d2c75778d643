"""One SSH channel as a blocking byte stream that tells a clean end from a dead connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from engine.contract.problem import ExitCode, Problem
from remote.faults import LinkLost

ERRORS_KEPT = 64 << 10
_PATIENCE_S = 1.0  # paramiko's blocking calls return this often, so that a dead link is seen
_STATUS_WAIT_S = 10.0
_READ_SIZE = 1 << 20


class Pipe(Protocol):
    """paramiko.BufferedPipe: tells an event of arriving data and of its end."""

    def set_event(self, event: Any) -> None: ...


class Channel(Protocol):
    """The part of paramiko.Channel used here."""

    closed: bool
    exit_status: int
    eof_received: bool
    status_event: threading.Event
    in_buffer: Pipe
    in_stderr_buffer: Pipe

    def recv(self, nbytes: int) -> bytes: ...
    def recv_ready(self) -> bool: ...
    def recv_stderr(self, nbytes: int) -> bytes: ...
    def recv_stderr_ready(self) -> bool: ...
    def send(self, s: Any) -> int: ...
    def settimeout(self, timeout: float | None) -> None: ...
    def shutdown_write(self) -> None: ...
    def close(self) -> None: ...


class _Arrival:
    """Set when stdout or stderr has news. Only the reader clears it: paramiko would clear it
    when one of the two runs empty, and the news of the other would be lost."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """Paramiko's call; see above."""

    def expect(self) -> None:
        self._event.clear()

    def wait(self, timeout: float | None) -> bool:
        return self._event.wait(timeout)


class Carrier(Protocol):
    """The connection a stream runs over."""

    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    def why_dead(self) -> str: ...


class Stream:
    """One channel; blocking; safe to close from another thread.

    errors: the last 64 KiB the server wrote to stderr. exit_code: None until the stream ended;
    255 where the server gave none (the program was killed by a signal), as OpenSSH does.
    """

    def __init__(
        self, channel: Channel, carrier: Carrier, *, errors_kept: int = ERRORS_KEPT
    ) -> None:
        self._channel = channel
        self._carrier = carrier
        self._errors = bytearray()
        self._errors_kept = errors_kept
        self._closed = False
        self.exit_code: int | None = None
        self._arrival = _Arrival()
        channel.settimeout(_PATIENCE_S)
        channel.in_buffer.set_event(self._arrival)
        channel.in_stderr_buffer.set_event(self._arrival)

    @property
    def errors(self) -> bytes:
        return bytes(self._errors)

    def read(self, n: int = 65536, *, deadline: float | None = None) -> bytes:
        """Return 1..n bytes, or b"" at the end of the stream.

        deadline: a `time.monotonic()` value after which TimeoutError is raised.
        Raises LinkLost when the connection died first.
        """
        if n <= 0:
            return b""
        while not self._closed:
            self._arrival.expect()
            self._drain_errors()
            if self._channel.recv_ready():
                return self._recv(n)
            if self._channel.eof_received or self._channel.closed:
                # Data may have come between the two looks.
                data = self._recv(n)
                if not data:
                    self._end(deadline)
                return data
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._arrival.wait(left)
        return b""

    def read_all(self, *, deadline: float | None = None) -> bytes:
        """Read to the end of the stream; see `read`."""
        pieces = []
        while piece := self.read(_READ_SIZE, deadline=deadline):
            pieces.append(piece)
        return b"".join(pieces)

    def lines(self) -> Iterator[bytes]:
        """Lines without newline; a last unterminated piece is yielded too."""
        rest = b""
        while data := self.read():
            head, newline, tail = data.rpartition(b"\n")
            if newline:
                yield from (rest + head).split(b"\n")
                rest = tail
            else:
                rest += data
        if rest:
            yield rest

    def write(self, data: bytes) -> None:
        """Send all of `data`; LinkLost or Problem `remote.link.input_closed` when it cannot be."""
        view = memoryview(data)
        while view:
            try:
                sent = self._channel.send(view)
            except TimeoutError:
                continue  # the server's window is closed; a dead link raises OSError
            except (OSError, EOFError):
                sent = 0
            if not sent:  # how paramiko says that the channel closed meanwhile
                self._fail_if_dead()
                raise Problem(
                    "remote.link.input_closed", ExitCode.INTERNAL, server=self._carrier.name
                )
            view = view[sent:]

    def close_write(self) -> None:
        """Tell the program that its input ended; its output can still be read."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            self._fail_if_dead()

    def _recv(self, n: int) -> bytes:
        try:
            return self._channel.recv(n)
        except (OSError, EOFError):
            # Reading also tells the server that its window is free again, which a connection
            # that is just ending refuses with a bare error.
            if self._closed:
                return b""
            raise LinkLost(self._carrier.name, self._carrier.why_dead()) from None

    def close(self) -> None:
        """End the channel. A reader in another thread gets b""."""
        self._closed = True
        self._arrival.set()
        # The connection may have ended a moment before: then there is nobody to tell.
        with contextlib.suppress(OSError, EOFError):
            self._channel.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fail_if_dead(self) -> None:
        if not self._carrier.alive and not self._closed:
            raise LinkLost(self._carrier.name, self._carrier.why_dead())

    def _drain_errors(self) -> None:
        while self._channel.recv_stderr_ready():
            self._errors += self._channel.recv_stderr(_READ_SIZE)
            if len(self._errors) > self._errors_kept:
                del self._errors[: -self._errors_kept]

    def _end(self, deadline: float | None) -> None:
        if self._closed:
            return
        if not self._channel.eof_received:
            self._fail_if_dead()
        wait = _STATUS_WAIT_S if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._channel.status_event.wait(wait) and deadline is not None:
            raise TimeoutError
        self._drain_errors()
        status = self._channel.exit_status
        if status < 0 and not self._channel.eof_received:
            self._fail_if_dead()
        self.exit_code = status if status >= 0 else 255
