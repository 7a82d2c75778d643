"""One connection that moves bytes: over an SFTP session, or by plain commands without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sovdeck.remote.errors import SftpUnavailable
from sovdeck.remote.ssh.base_connection import COMMAND_WINDOW
from sovdeck.remote.transfer.core.interfaces import TransferConnection, TransferStream
from sovdeck.remote.transfer.core.worker_pool import WorkerState
from sovdeck.remote.transfer.sftp.session import SftpSession


class TransferWorker:
    """A connection at work. `session` is None where SFTP is not wanted, or missing.

    `protocol`: "exec" where it is missing. `keeps_connection`: the connection outlives this worker,
    whose channels alone are closed.
    """

    def __init__(
        self, connection: TransferConnection, *, sftp: bool = True, keeps_connection: bool = False
    ) -> None:
        self.connection = connection
        self._keeps_connection = keeps_connection
        self._stream: TransferStream | None = None
        self.session: SftpSession | None = None
        self.protocol = "sftp"
        if sftp:
            try:
                self.session = SftpSession(connection.open_sftp())
            except SftpUnavailable:
                self.protocol = "exec"

    @contextmanager
    def command(
        self, argv: Sequence[str], state: WorkerState, window: int = COMMAND_WINDOW
    ) -> Iterator[TransferStream]:
        """Run `argv`; its channel is closed at the end. `window`: bytes it may send ahead."""
        state.set_awaiting_data(True)
        try:
            stream = self._stream = self.connection.open_stream(argv, window=window)
            try:
                yield stream
            finally:
                stream.close()
        finally:
            state.set_awaiting_data(False)

    def release(self) -> TransferConnection | None:
        """End the channels; the connection, unless another has it too."""
        for channel in (self._stream, self.session):
            if channel is not None:
                channel.close()
        return None if self._keeps_connection else self.connection

    def close(self) -> None:
        """End the channels, and the connection unless it is kept."""
        if self._keeps_connection:
            self.release()
        else:
            self.connection.close()
