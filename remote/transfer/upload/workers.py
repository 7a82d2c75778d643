"""Sends over one connection: small files as one tar stream, large ones by SFTP or commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent.call import agent_argv, agent_failure, plain_path
from sovdeck.remote.transfer.agent.staging import STAGING
from sovdeck.remote.transfer.core.context import TransferContext
from sovdeck.remote.transfer.core.interfaces import TransferStream
from sovdeck.remote.transfer.core.worker_pool import WorkerState
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.ranges import RangeMover
from sovdeck.remote.transfer.sftp.session import SftpSession
from sovdeck.remote.transfer.sftp.worker import TransferWorker
from sovdeck.remote.transfer.upload.content_tar import changed_here, tar_chunks
from sovdeck.remote.transfer.upload.queue import CHUNK, Content, LargeFile, UploadQueue

ReadAt = Callable[[int, int], bytes]  # of a local file: so many bytes from an offset on


class Sender:
    """What every connection of one push does: stage what the queue holds for a remote folder."""

    def __init__(self, transfer: TransferContext, folder: str, queue: UploadQueue) -> None:
        self._transfer = transfer
        self._folder = plain_path(folder)
        self._queue = queue

    def work(self, worker: TransferWorker, state: WorkerState) -> None:
        """Send batches and ranges until none waits."""
        small = self._queue.small
        while not state.stop_requested.is_set() and (batch := small.take()):
            sent = 0
            try:
                self._send_batch(worker, batch, state)
                sent = len(batch)
            finally:
                small.complete(batch, sent)
        for file in self._queue.large:
            while file.queue.waiting and not state.stop_requested.is_set():
                with file.content.local.open("rb") as local:
                    if worker.session is not None:
                        self._send_ranges(worker.session, file, _reader(local), state)
                    else:
                        self._send_lease(worker, file, _reader(local), state)

    def _send_batch(self, worker: TransferWorker, batch: list[Content], state: WorkerState) -> None:
        with worker.command(agent_argv("take", self._folder), state) as stream:
            for chunk in tar_chunks(batch, self._transfer.meter.add):
                self._write(stream, chunk, state)
            self._finish(stream)

    def _send_ranges(
        self, session: SftpSession, file: LargeFile, read: ReadAt, state: WorkerState
    ) -> None:
        path = f"{self._folder}/{STAGING}/{file.content.sha256}"
        handle, _ = session.open(path, packets.FOR_WRITING | packets.CREATE)
        limiter = self._transfer.limiter
        RangeMover(session, path, handle, file.queue, self._moved, limiter, state).write(read)
        session.close_file(handle)

    def _send_lease(
        self, worker: TransferWorker, file: LargeFile, read: ReadAt, state: WorkerState
    ) -> None:
        """One lease as a plain stream. Leases begin at block limits, so dd can seek there."""
        lease = file.queue.take()
        if lease is None:
            return
        start, end = lease
        unsent = [lease]
        try:
            argv = agent_argv("keep", self._folder, file.content.sha256, str(start))
            with worker.command(argv, state) as stream:
                for at in range(start, end, CHUNK):
                    self._write(stream, read(at, min(CHUNK, end - at)), state)
                self._finish(stream)
            unsent = []
            file.queue.done(start, end)
            self._moved(start, end)
        finally:
            file.queue.give_back(unsent)

    def _moved(self, start: int, end: int) -> None:
        self._transfer.meter.add(end - start)

    def _write(self, stream: TransferStream, data: bytes, state: WorkerState) -> None:
        for at in range(0, len(data), CHUNK):
            chunk = data[at : at + CHUNK]
            try:
                stream.write(chunk)
            except Problem as problem:
                if problem.exit_code is ExitCode.INTERNAL:  # the program there has ended: say why
                    self._finish(stream)
                raise
            state.mark_active()
            state.pause(self._transfer.limiter.delay(len(chunk)))

    def _finish(self, stream: TransferStream) -> None:
        """End the input and wait for the program; Problem when it did not succeed."""
        stream.close_write()
        while stream.read(CHUNK):
            pass
        if stream.exit_code != 0:
            raise agent_failure(stream.exit_code, self._folder, b"")


def _reader(local: BinaryIO) -> ReadAt:
    def read(offset: int, count: int) -> bytes:
        local.seek(offset)
        data = local.read(count)
        if len(data) != count:
            raise changed_here(Path(local.name))
        return data

    return read
