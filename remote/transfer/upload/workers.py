"""Connections that send: small files as one tar stream, large ones by SFTP or plain commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import SftpUnavailable
from sovdeck.remote.transfer.agent.call import agent_argv, plain_path
from sovdeck.remote.transfer.agent.staging import STAGING
from sovdeck.remote.transfer.core.interfaces import (
    TransferConnection,
    TransferStream,
    connection_cut,
    read_some,
)
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.session import SftpSession
from sovdeck.remote.transfer.sftp.write_ranges import ReadAt, write_ranges
from sovdeck.remote.transfer.upload.content_tar import END, changed_here, tar_chunks
from sovdeck.remote.transfer.upload.queue import CHUNK, Content, LargeFile, UploadQueue


class UploadContext:
    """What every connection of one push shares."""

    def __init__(
        self,
        folder: str,
        queue: UploadQueue,
        moved: Callable[[int], None],
        limiter: RateLimiter,
        tuning: Tuning,
    ) -> None:
        self.folder = plain_path(folder)
        self.queue = queue
        self.moved = moved
        self.limiter = limiter
        self.tuning = tuning


class UploadWorker:
    """One connection that sends. `protocol`: "exec" where SFTP is wanted and missing."""

    def __init__(self, connection: TransferConnection) -> None:
        self.connection = connection
        self.keeps_connection = False
        self.context: UploadContext | None = None
        self.protocol = "sftp"
        self._stream: TransferStream | None = None
        self._session: SftpSession | None = None

    def open_session(self, tuning: Tuning) -> None:
        """Needed for large files; without SFTP plain commands do the same."""
        try:
            self._session = SftpSession(self.connection.open_sftp(window=tuning.window))
            self._session.receive_version()
        except SftpUnavailable:
            self.protocol = "exec"

    def work(self, state: WorkerState) -> None:
        """Send batches and ranges until none waits."""
        assert self.context is not None
        queue = self.context.queue
        while not state.stop_requested.is_set() and (batch := queue.take_batch()):
            sent = False
            try:
                self._send_batch(self.context, batch, state)
                sent = True
            finally:
                state.set_awaiting_data(False)
                (queue.batch_done if sent else queue.give_back)(batch)
        for file in queue.large:
            while file.queue.waiting and not state.stop_requested.is_set():
                if self._session is not None:
                    self._send_ranges(self.context, self._session, file, state)
                else:
                    self._send_lease(self.context, file, state)

    def _send_batch(self, context: UploadContext, batch: list[Content], state: WorkerState) -> None:
        state.set_awaiting_data(True)
        stream = self._open(agent_argv("take", context.folder))
        try:
            for chunk in tar_chunks(batch, context.moved):
                self._write(context, stream, chunk, state)
            self._write(context, stream, END, state)
            self._close(stream, context.folder)
        finally:
            stream.close()

    def _send_ranges(
        self, context: UploadContext, session: SftpSession, file: LargeFile, state: WorkerState
    ) -> None:
        session.on_data = state.mark_active
        path = f"{context.folder}/{STAGING}/{file.content.sha256}"
        handle, _ = session.open(path, packets.FOR_WRITING | packets.CREATE)
        with file.content.local.open("rb") as local:
            write_ranges(
                session,
                handle,
                path,
                file.queue,
                _reader(local.seek, local.read, file.content.local),
                context.moved,
                state,
                inflight=context.tuning.inflight,
                limiter=context.limiter,
            )
        session.close_file(handle)

    def _send_lease(self, context: UploadContext, file: LargeFile, state: WorkerState) -> None:
        """One lease as a plain stream. Leases begin at block limits, so dd can seek there."""
        lease = file.queue.take()
        if lease is None:
            return
        start, end = lease
        sent = False
        state.set_awaiting_data(True)
        try:
            stream = self._open(agent_argv("keep", context.folder, file.content.sha256, str(start)))
            with file.content.local.open("rb") as local:
                read = _reader(local.seek, local.read, file.content.local)
                for at in range(start, end, CHUNK):
                    self._write(context, stream, read(at, min(CHUNK, end - at)), state)
            self._close(stream, context.folder)
            sent = True
        finally:
            state.set_awaiting_data(False)
            if sent:
                file.queue.done(end - start)
                context.moved(end - start)
            else:
                file.queue.give_back([lease])

    def _open(self, command: list[str]) -> TransferStream:
        self._stream = self.connection.open_stream(command)
        return self._stream

    def _write(
        self, context: UploadContext, stream: TransferStream, data: bytes, state: WorkerState
    ) -> None:
        for at in range(0, len(data), CHUNK):
            chunk = data[at : at + CHUNK]
            try:
                stream.write(chunk)
            except Problem as problem:
                if problem.exit_code is ExitCode.INTERNAL:  # the program there has ended: say why
                    self._close(stream, context.folder)
                raise
            state.mark_active()
            if wait := context.limiter.delay(len(chunk)):
                state.stop_requested.wait(wait)
                state.mark_active()

    def _close(self, stream: TransferStream, path: str) -> None:
        """End the input and wait for the program; Problem when it did not succeed."""
        stream.close_write()
        while read_some(stream, CHUNK):
            pass
        code = stream.exit_code
        if code is None or code > 128:
            raise connection_cut()
        if code:
            why = f"exit code {code}"
            raise Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)

    def close(self) -> None:
        """End the channels, and the connection unless it is kept."""
        if not self.keeps_connection:
            self.connection.close()
            return
        for stream in (self._stream, self._session):
            if stream is not None:
                stream.close()


def _reader(seek: Callable[[int], int], read: Callable[[int], bytes], path: Path) -> ReadAt:
    def take(offset: int, count: int) -> bytes:
        seek(offset)
        data = read(count)
        if len(data) != count:
            raise changed_here(path)
        return data

    return take
