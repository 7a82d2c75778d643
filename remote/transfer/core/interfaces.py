"""What a transfer needs of a connection; `SSHConnection` and its streams fit.

Named here as protocols, so that the whole package can be tested over pipes, without SSH.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh.command import CommandResult


class TransferStream(Protocol):
    """One channel. Blocking; `close` may be called from another thread.

    `exit_code` is set once `read` has returned the end of the stream.
    """

    @property
    def exit_code(self) -> int | None:
        """Exit code of the command; None before its end."""

    def read(self, n: int = ...) -> bytes:
        """Read up to `n` bytes; empty at the end."""

    def write(self, data: bytes) -> None:
        """Write all of `data`."""

    def close_write(self) -> None:
        """End the command's standard input."""

    def close(self) -> None:
        """Close the channel."""


class CommandRunner(Protocol):
    """The part of a connection that a question to the server needs."""

    def run(
        self, argv: Sequence[str], *, stdin: bytes = ..., timeout: float | None = ...
    ) -> CommandResult:
        """Run `argv` to its end; `timeout` in seconds."""


class TransferConnection(CommandRunner, Protocol):
    """One connection to one server; `rtt` is the way there and back in seconds."""

    @property
    def rtt(self) -> float:
        """Seconds to the server and back."""

    def open_stream(self, argv: Sequence[str], *, window: int = ...) -> TransferStream:
        """Start `argv`; `window`: bytes that may be on their way."""

    def prestart(self, argv: Sequence[str]) -> TransferStream | None:
        """Start `argv` now, for the next call that asks for the same; None where it cannot be."""

    def open_sftp(self) -> TransferStream:
        """Open an SFTP channel; SftpUnavailable where there is none."""

    def close(self) -> None:
        """End the connection."""


Connect = Callable[[], TransferConnection]


def connection_cut() -> Problem:
    """The line broke: what is retried, and what a pull or push can go on from."""
    return Problem("remote.transfer.cut", ExitCode.UNREACHABLE)
