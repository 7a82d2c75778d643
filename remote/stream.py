"""One SSH channel as a blocking byte stream that tells a clean end from a dead connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from engine.contract.problem import ExitCode, Problem
from remote.faults import LinkLost

ERRORS_KEPT = 64 << 10
_DRAIN_EVERY_S = 2.0
_STATUS_WAIT_S = 10.0
_READ_SIZE = 1 << 20


class Channel(Protocol):
    """The part of paramiko.Channel used here."""

    exit_status: int
    eof_received: bool
    status_event: threading.Event

    def recv(self, nbytes: int) -> bytes: ...
    def recv_ready(self) -> bool: ...
    def recv_stderr(self, nbytes: int) -> bytes: ...
    def recv_stderr_ready(self) -> bool: ...
    def sendall(self, s: bytes) -> None: ...
    def settimeout(self, timeout: float | None) -> None: ...
    def shutdown_write(self) -> None: ...
    def close(self) -> None: ...


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
        channel.settimeout(_DRAIN_EVERY_S)

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
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self._channel.settimeout(min(left, _DRAIN_EVERY_S))
            try:
                data = self._channel.recv(n)
            except TimeoutError:
                self._drain_errors()
                continue
            self._drain_errors()
            if data:
                return data
            self._end(deadline)
            return b""
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
        try:
            while view:
                # paramiko's own time limit counts from the start of a call: pieces keep a slow
                # but moving upload alive.
                self._channel.settimeout(None)
                self._channel.sendall(view[:_READ_SIZE])  # type: ignore[arg-type]
                view = view[_READ_SIZE:]
        except (OSError, EOFError) as error:
            self._fail_if_dead()
            raise Problem(
                "remote.link.input_closed", ExitCode.INTERNAL, server=self._carrier.name
            ) from error
        finally:
            self._channel.settimeout(_DRAIN_EVERY_S)

    def close_write(self) -> None:
        """Tell the program that its input ended; its output can still be read."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            self._fail_if_dead()

    def close(self) -> None:
        """End the channel. A reader in another thread gets b""."""
        self._closed = True
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
