"""What a transfer needs of a connection; `remote.link.Link` and its streams fit these shapes.

Named here as protocols, so that the whole package can be tested over pipes, without SSH.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Result(Protocol):
    """How a command ended on the server."""

    @property
    def code(self) -> int: ...
    @property
    def out(self) -> bytes: ...
    @property
    def err(self) -> bytes: ...


class Stream(Protocol):
    """One channel. Blocking; `close` may be called from another thread."""

    def read(self, n: int = ...) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close_write(self) -> None: ...
    def close(self) -> None: ...


class Link(Protocol):
    """One connection to one server."""

    def run(
        self, argv: Sequence[str], *, stdin: bytes = ..., timeout: float | None = ...
    ) -> Result: ...
    def open_stream(self, argv: Sequence[str], *, window: int = ...) -> Stream: ...
    def open_sftp(self, *, window: int = ...) -> Stream: ...
    def close(self) -> None: ...


Connect = Callable[[], Link]
