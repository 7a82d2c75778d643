"""What a transfer needs of a connection; `remote.link.Link` and its streams fit these shapes.

Named here as protocols, so that the whole package can be tested over pipes, without SSH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from engine.contract.problem import ExitCode, Problem


class Result(Protocol):
    """How a command ended on the server."""

    @property
    def code(self) -> int: ...
    @property
    def out(self) -> bytes: ...
    @property
    def err(self) -> bytes: ...


class Stream(Protocol):
    """One channel. Blocking; `close` may be called from another thread.

    `exit_code` is set once `read` has returned the end of the stream.
    """

    @property
    def exit_code(self) -> int | None: ...

    def read(self, n: int = ...) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close_write(self) -> None: ...
    def close(self) -> None: ...


class Carrier(Protocol):
    """A quicker way to the same server for few, large streams; see `remote.carrier`."""

    def open_stream(self, argv: Sequence[str], *, window: int = ...) -> Stream: ...
    def close(self) -> None: ...


class Link(Protocol):
    """One connection to one server; `rtt` is the way there and back in seconds."""

    @property
    def rtt(self) -> float: ...

    def carrier(self) -> Carrier | None: ...

    def run(
        self, argv: Sequence[str], *, stdin: bytes = ..., timeout: float | None = ...
    ) -> Result: ...
    def open_stream(self, argv: Sequence[str], *, window: int = ...) -> Stream: ...
    def expect(self, argv: Sequence[str]) -> None: ...
    def open_sftp(self, *, window: int = ...) -> Stream: ...
    def close(self) -> None: ...


Connect = Callable[[], Link]


def cut() -> Problem:
    """The line broke: what is retried, and what a pull or push can go on from."""
    return Problem("remote.transfer.cut", ExitCode.UNREACHABLE)


@contextmanager
def line_errors() -> Iterator[None]:
    """A connection that dies under a call is a cut line, however the library puts it."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise cut() from error


def read_some(stream: Stream, count: int) -> bytes:
    """Up to `count` bytes; empty at the end of the stream."""
    with line_errors():
        return stream.read(count)
