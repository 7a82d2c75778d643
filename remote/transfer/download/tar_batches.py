"""Downloads small files, many to a stream: what still has to come, and who receives it."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent.call import (
    WINDOW,
    agent_argv,
    agent_failure,
    path_records,
    plain_path,
    unexpected_answer,
)
from sovdeck.remote.transfer.core.interfaces import TransferConnection, TransferStream, read_some
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.worker import WorkerState
from sovdeck.remote.transfer.download.part_file import disk_errors

# One stream: a file that has come whole never comes again, so only the tail must be shared.
BATCH_BYTES = 128 << 20
MIN_BATCH_BYTES = 1 << 20
BATCH_FILES = 4000
CHUNK = 1 << 20
_LONGEST_HEAD = 100  # 64 hex digits, a space, a number


@dataclass(frozen=True)
class DownloadItem:
    """One remote file, its bytes when it was named, and where it goes here."""

    path: str
    size: int
    local: Path


class BatchQueue:
    """Small files that still have to come, shared by all connections."""

    def __init__(self, items: Iterable[DownloadItem], workers: int) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(items)
        self._taken = 0
        share = sum(item.size for item in self._waiting) // max(1, workers)
        self._batch_bytes = max(MIN_BATCH_BYTES, min(BATCH_BYTES, share + 1))

    def take(self) -> list[DownloadItem]:
        """Take the next batch; empty when none waits."""
        batch: list[DownloadItem] = []
        size = 0
        with self._lock:
            while self._waiting and size < self._batch_bytes and len(batch) < BATCH_FILES:
                batch.append(self._waiting.popleft())
                size += batch[-1].size
            self._taken += len(batch)
        return batch

    def complete(self, batch: list[DownloadItem], done: int) -> None:
        """The first `done` of a batch have come; the rest wait again."""
        with self._lock:
            self._taken -= len(batch)
            self._waiting.extendleft(reversed(batch[done:]))

    @property
    def waiting(self) -> bool:
        """Whether a file can be taken now."""
        return bool(self._waiting)

    @property
    def over(self) -> bool:
        """Whether every file has come."""
        with self._lock:
            return not self._waiting and not self._taken


class IncomingFiles:
    """Where small files are written before they have their names; `on_received` hears of each.

    Paths are plain text here: of thousands of files, pathlib would be a fifth of the time.
    """

    def __init__(self, incoming: Path, on_received: Callable[[DownloadItem, str], None]) -> None:
        self.on_received = on_received
        self.incoming = incoming
        self._numbers = itertools.count()
        self._folders: set[str] = set()
        with disk_errors(incoming):
            incoming.mkdir(parents=True, exist_ok=True)

    def new_path(self) -> str:
        """Name a new temporary file."""
        return f"{self.incoming}{os.sep}{next(self._numbers)}"

    def move_into_place(self, fresh: str, final: str) -> None:
        """Rename a received file to its place; its folder is made."""
        parent = os.path.dirname(final)  # noqa: PTH120
        if parent not in self._folders:
            Path(parent).mkdir(parents=True, exist_ok=True)
            self._folders.add(parent)
        os.replace(fresh, final)  # noqa: PTH105


class BatchWorker:
    """One connection that receives batches: every file with its SHA-256 before it."""

    def __init__(
        self,
        connection: TransferConnection,
        folder: str,
        batches: BatchQueue,
        incoming: IncomingFiles,
        meter: TransferMeter,
        limiter: RateLimiter,
    ) -> None:
        self.connection = connection
        self._folder = plain_path(folder)
        self._batches = batches
        self._incoming = incoming
        self._meter = meter
        self._limiter = limiter
        self._done = 0

    def work(self, state: WorkerState) -> None:
        """Receive batches until none waits."""
        while not state.stop_requested.is_set() and (batch := self._batches.take()):
            self._done = 0
            try:
                self._receive(batch, state)
            finally:
                state.set_awaiting_data(False)
                self._batches.complete(batch, self._done)

    def _receive(self, batch: list[DownloadItem], state: WorkerState) -> None:
        state.set_awaiting_data(True)
        stream = self.connection.open_stream(agent_argv("send", self._folder), window=WINDOW)
        try:
            stream.write(path_records(item.path for item in batch))
            stream.close_write()
            reader = _BatchReader(stream, self._folder, state)
            with disk_errors(self._incoming.incoming):
                for item in batch:
                    self._receive_file(reader, item, state)
                    self._done += 1
        finally:
            stream.close()

    def _receive_file(self, reader: _BatchReader, item: DownloadItem, state: WorkerState) -> None:
        words = reader.line().decode("ascii", "replace").split()
        if len(words) != 2:
            raise unexpected_answer(" ".join(words))
        if words[0] == "-" or words[1] != str(item.size):  # since it was named
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.path)
        fresh = self._incoming.new_path()
        digest = hashlib.sha256()
        left = item.size
        with open(fresh, "wb", 0) as file:  # noqa: PTH123
            while left:
                part = reader.some(left)
                digest.update(part)
                left -= len(part)
                if wait := self._limiter.delay(len(part)):
                    state.stop_requested.wait(wait)
                while part:
                    part = part[file.write(part) :]
        if digest.hexdigest() != words[0]:
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.path)
        self._incoming.move_into_place(fresh, str(item.local))
        self._incoming.on_received(item, words[0])
        self._meter.add(item.size)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


class _BatchReader:
    """The stream's bytes, taken as lines and as pieces."""

    def __init__(self, stream: TransferStream, folder: str, state: WorkerState) -> None:
        self._stream = stream
        self._folder = folder
        self._state = state
        self._rest = memoryview(b"")

    def _more(self) -> bytes:
        data = read_some(self._stream, CHUNK)
        if not data:
            raise agent_failure(self._stream.exit_code, self._folder, b"")
        self._state.mark_active()
        return data

    def line(self) -> bytes:
        while (end := bytes(self._rest[:_LONGEST_HEAD]).find(b"\n")) < 0:
            if len(self._rest) >= _LONGEST_HEAD:
                raise unexpected_answer(
                    bytes(self._rest[:_LONGEST_HEAD]).decode("ascii", "replace")
                )
            self._rest = memoryview(bytes(self._rest) + self._more())
        line, self._rest = bytes(self._rest[:end]), self._rest[end + 1 :]
        return line

    def some(self, most: int) -> memoryview:
        if not self._rest:
            self._rest = memoryview(self._more())
        part, self._rest = self._rest[:most], self._rest[most:]
        return part
