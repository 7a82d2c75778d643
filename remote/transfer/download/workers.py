"""Connections that receive ranges of one remote file: by SFTP, or by plain commands."""

from __future__ import annotations

import stat
from collections.abc import Callable

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent.call import plain_path
from sovdeck.remote.transfer.agent.remote_files import fetch_identity
from sovdeck.remote.transfer.core.interfaces import TransferConnection, connection_cut
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.transfer.core.ranges import RangeQueue
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.receive_buffer import CHUNK
from sovdeck.remote.transfer.core.tuning import WINDOW
from sovdeck.remote.transfer.core.worker_pool import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.ranges import RangeMover
from sovdeck.remote.transfer.sftp.session import SftpSession
from sovdeck.remote.transfer.sftp.worker import TransferWorker

# Prints LENGTH bytes of a file from OFFSET on; tail and head are in every system.
_SLICE = 'tail -c "+$(($2 + 1))" -- "$1" | head -c "$3"'
# Seconds a command takes to start: on a near line too, several run side by side.
_COMMAND_START_S = 0.05


class DownloadWorker(TransferWorker):
    """A connection with the remote file open. `identity`: what the file is."""

    def __init__(
        self, connection: TransferConnection, path: str, *, keeps_connection: bool = False
    ) -> None:
        super().__init__(connection, keeps_connection=keeps_connection)
        self._path = plain_path(path)
        self._handle = b""
        found = self._open(self.session, path) if self.session is not None else None
        # A server may leave out what SFTP does not demand.
        self.identity = found or fetch_identity(connection, path)

    def _open(self, session: SftpSession, path: str) -> RemoteFile | None:
        self._handle, found = session.open(self._path, packets.FOR_READING)
        if found.mode is not None and stat.S_IFMT(found.mode) not in (0, stat.S_IFREG):
            raise Problem("remote.transfer.no_regular_file", ExitCode.DATA, path=path)
        if found.size is None or found.mtime is None:
            return None
        return RemoteFile(path, found.size, found.mtime)

    @property
    def rtt(self) -> float:
        """Seconds until what is asked for begins to come."""
        return max(self.connection.rtt, _COMMAND_START_S if self.session is None else 0.0)

    def receive(
        self,
        queue: RangeQueue,
        write: Callable[[int, memoryview], None],
        moved: Callable[[int, int], None],
        limiter: RateLimiter,
        state: WorkerState,
    ) -> None:
        """Receive ranges until none waits. `moved` hears of each [start, end) that is written."""
        if self.session is not None:
            opened = self.session, self._path, self._handle
            RangeMover(*opened, queue, moved, limiter, state).read(write)
            return
        while not state.stop_requested.is_set() and (lease := queue.take()) is not None:
            at, end = lease
            argv = ["sh", "-c", _SLICE, "sovdeck", self._path, str(at), str(end - at)]
            try:
                with self.command(argv, state, WINDOW) as stream:
                    while at < end:
                        data = stream.read(min(CHUNK, end - at))
                        if not data:
                            raise connection_cut()
                        state.mark_active()
                        write(at, memoryview(data))
                        moved(at, at + len(data))
                        queue.done(at, at + len(data))
                        at += len(data)
                        state.pause(limiter.delay(len(data)))
            finally:
                queue.give_back([(at, end)] if at < end else [])
