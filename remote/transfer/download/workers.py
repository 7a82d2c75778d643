"""Connections that receive ranges of one remote file: by SFTP, or by plain commands."""

from __future__ import annotations

import stat

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import SftpUnavailable
from sovdeck.remote.transfer.agent import call as agent_call
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.agent.call import plain_path
from sovdeck.remote.transfer.core.interfaces import (
    TransferConnection,
    TransferStream,
    connection_cut,
    read_some,
)
from sovdeck.remote.transfer.core.part_journal import FileIdentity
from sovdeck.remote.transfer.core.ranges import RangeQueue
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.read_ranges import Sink, read_ranges
from sovdeck.remote.transfer.sftp.session import CHUNK, SftpSession

# Prints LENGTH bytes of a file from OFFSET on; tail and head are in every system.
_SLICE = 'tail -c "+$(($2 + 1))" -- "$1" | head -c "$3"'


class DownloadContext:
    """What every connection of one pull shares: the queue, where bytes go, the cap."""

    def __init__(
        self, path: str, queue: RangeQueue, sink: Sink, limiter: RateLimiter, tuning: Tuning
    ) -> None:
        self.path = path
        self.queue = queue
        self.sink = sink
        self.limiter = limiter
        self.tuning = tuning


class SftpWorker:
    """One SFTP channel with the remote file open. `identity` is None on a strange server."""

    def __init__(self, connection: TransferConnection, path: str, tuning: Tuning) -> None:
        self.connection = connection
        self._path = path
        stream = connection.open_sftp(window=tuning.window)
        self._session = SftpSession(stream)
        self._handle, attributes = self._session.open(plain_path(path), packets.FOR_READING)
        self.rtt = self._session.round_trip(plain_path(path))
        self.identity: FileIdentity | None = None
        if attributes is not None and not _is_regular(attributes.mode):
            raise Problem("remote.transfer.no_regular_file", ExitCode.DATA, path=path)
        if attributes is not None and attributes.size is not None:
            self.identity = FileIdentity(path, attributes.size, attributes.mtime or 0)
        self.context: DownloadContext | None = None
        self.keeps_connection = False  # set where the connection outlives the worker

    def identify(self) -> FileIdentity:
        """What the file at the path is now; it may have been replaced since it was opened."""
        now = self._session.stat(plain_path(self._path))
        return FileIdentity(self._path, now.size or 0, now.mtime or 0)

    def work(self, state: WorkerState) -> None:
        """Receive ranges until none waits."""
        assert self.context is not None
        self._session.on_data = state.mark_active
        context = self.context
        read_ranges(
            self._session,
            self._handle,
            context.path,
            context.queue,
            context.sink,
            state,
            inflight=context.tuning.inflight,
            limiter=context.limiter,
        )

    def close(self) -> None:
        """End the SFTP channel, and the connection unless it is kept."""
        if self.keeps_connection:
            self._session.close()
        else:
            self.connection.close()


def _is_regular(mode: int | None) -> bool:
    """Whether a file's mode says so; a server that leaves the kind out is believed."""
    return mode is None or stat.S_IFMT(mode) in (0, stat.S_IFREG)


class ExecWorker:
    """A connection to a server without SFTP: ranges come from `tail | head` over a channel."""

    rtt = 0.05  # not measured: a command starts slowly, so several run side by side
    identity: FileIdentity | None = None

    def __init__(self, connection: TransferConnection, path: str, tuning: Tuning) -> None:
        self.connection = connection
        self._path = path
        self._window = tuning.window
        self._stream: TransferStream | None = None
        self.context: DownloadContext | None = None
        self.keeps_connection = False

    def identify(self) -> FileIdentity:
        """What the file at the path is now."""
        return remote_files.fetch_identity(self.connection, self._path)

    def work(self, state: WorkerState) -> None:
        """Receive ranges until none waits."""
        assert self.context is not None
        queue = self.context.queue
        while not state.stop_requested.is_set() and (lease := queue.take()) is not None:
            self._at, end = lease
            try:
                self._receive_range(self.context, state, end)
            finally:
                queue.give_back([(self._at, end)] if self._at < end else [])

    def _receive_range(self, context: DownloadContext, state: WorkerState, end: int) -> None:
        """Receive from `self._at` up to `end`."""
        start = self._at
        path = agent_call.plain_path(self._path)
        argv = ["sh", "-c", _SLICE, "sovdeck", path, str(start), str(end - start)]
        state.set_awaiting_data(True)
        stream = self._stream = self.connection.open_stream(argv, window=self._window)
        try:
            while self._at < end:
                data = read_some(stream, min(CHUNK, end - self._at))
                if not data:
                    raise connection_cut()
                state.mark_active()
                context.sink.write(self._at, memoryview(data))
                context.sink.finished(self._at, self._at + len(data))
                context.queue.done(len(data))
                self._at += len(data)
                state.stop_requested.wait(context.limiter.delay(len(data)))
        finally:
            state.set_awaiting_data(False)
            stream.close()

    def close(self) -> None:
        """End the command, and the connection unless it is kept."""
        if not self.keeps_connection:
            self.connection.close()
        elif self._stream is not None:
            self._stream.close()


DownloadWorker = SftpWorker | ExecWorker


def open_worker(connection: TransferConnection, path: str, tuning: Tuning) -> DownloadWorker:
    """SFTP when the server has it, else plain commands."""
    try:
        return SftpWorker(connection, path, tuning)
    except SftpUnavailable:
        return ExecWorker(connection, path, tuning)
