"""Small files that come home many to a stream: what still has to come, and who brings it."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.transfer.agent_call import WINDOW, argv, failed, path_records, plain_path, strange
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import Link, Stream, read_some
from remote.transfer.lane import Lane
from remote.transfer.part_file import disk_errors
from remote.transfer.progress import Meter

# One stream: a file that has come whole never comes again, so only the tail must be shared.
BATCH_BYTES = 128 << 20
LEAST_BYTES = 1 << 20
BATCH_FILES = 4000
CHUNK = 1 << 20
_LONGEST_HEAD = 100  # 64 hex digits, a space, a number


@dataclass(frozen=True)
class Item:
    """One remote file, its bytes when it was named, and where it goes here."""

    path: str
    size: int
    local: Path


class Batches:
    """Small files that still have to come, shared by all connections."""

    def __init__(self, items: Iterable[Item], lanes: int) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(items)
        self._out = 0
        share = sum(item.size for item in self._waiting) // max(1, lanes)
        self._most = max(LEAST_BYTES, min(BATCH_BYTES, share + 1))

    def take(self) -> list[Item]:
        batch: list[Item] = []
        size = 0
        with self._lock:
            while self._waiting and size < self._most and len(batch) < BATCH_FILES:
                batch.append(self._waiting.popleft())
                size += batch[-1].size
            self._out += len(batch)
        return batch

    def settle(self, batch: list[Item], done: int) -> None:
        """The first `done` of a batch have come; the rest wait again."""
        with self._lock:
            self._out -= len(batch)
            self._waiting.extendleft(reversed(batch[done:]))

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    @property
    def over(self) -> bool:
        with self._lock:
            return not self._waiting and not self._out


class Landing:
    """Where small files are written before they have their names; `came` hears of each one.

    Paths are plain text here: of thousands of files, pathlib would be a fifth of the time.
    """

    def __init__(self, incoming: Path, came: Callable[[Item, str], None]) -> None:
        self.came = came
        self.incoming = incoming
        self._numbers = itertools.count()
        self._folders: set[str] = set()
        with disk_errors(incoming):
            incoming.mkdir(parents=True, exist_ok=True)

    def fresh(self) -> str:
        return f"{self.incoming}{os.sep}{next(self._numbers)}"

    def place(self, fresh: str, final: str) -> None:
        parent = os.path.dirname(final)  # noqa: PTH120
        if parent not in self._folders:
            Path(parent).mkdir(parents=True, exist_ok=True)
            self._folders.add(parent)
        os.replace(fresh, final)  # noqa: PTH105


class BatchSeat:
    """One connection that receives batches: every file with its SHA-256 before it.

    `stream`: one that waits to be asked already, of `agent_reading.offered`.
    """

    def __init__(
        self, link: Link, folder: str, batches: Batches, landing: Landing, meter: Meter, cap: Cap,
        stream: Stream | None = None,
    ) -> None:  # fmt: skip
        self.link = link
        self._stream = stream
        self._folder = plain_path(folder)
        self._batches = batches
        self._landing = landing
        self._meter = meter
        self._cap = cap
        self._done = 0

    def work(self, lane: Lane) -> None:
        while not lane.leave.is_set() and (batch := self._batches.take()):
            self._done = 0
            try:
                self._receive(batch, lane)
            finally:
                lane.owe(False)
                self._batches.settle(batch, self._done)

    def _receive(self, batch: list[Item], lane: Lane) -> None:
        lane.owe(True)
        stream, self._stream = self._stream or self._open(), None
        try:
            stream.write(path_records(item.path for item in batch))
            stream.close_write()
            inbox = _Inbox(stream, self._folder, lane)
            with disk_errors(self._landing.incoming):
                for item in batch:
                    self._one(inbox, item, lane)
                    self._done += 1
        finally:
            stream.close()

    def _open(self) -> Stream:
        return self.link.open_stream(argv("send", self._folder), window=WINDOW)

    def _one(self, inbox: _Inbox, item: Item, lane: Lane) -> None:
        words = inbox.line().decode("ascii", "replace").split()
        if len(words) != 2:
            raise strange(" ".join(words))
        if words[0] == "-" or words[1] != str(item.size):  # since it was named
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.path)
        fresh = self._landing.fresh()
        digest = hashlib.sha256()
        left = item.size
        with open(fresh, "wb", 0) as file:  # noqa: PTH123
            while left:
                part = inbox.some(left)
                digest.update(part)
                left -= len(part)
                if wait := self._cap.delay(len(part)):
                    lane.leave.wait(wait)
                while part:
                    part = part[file.write(part) :]
        if digest.hexdigest() != words[0]:
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.path)
        self._landing.place(fresh, str(item.local))
        self._landing.came(item, words[0])
        self._meter.add(item.size)

    def close(self) -> None:
        self.link.close()


class _Inbox:
    """The stream's bytes, taken as lines and as pieces."""

    def __init__(self, stream: Stream, folder: str, lane: Lane) -> None:
        self._stream = stream
        self._folder = folder
        self._lane = lane
        self._rest = memoryview(b"")

    def _more(self) -> bytes:
        data = read_some(self._stream, CHUNK)
        if not data:
            raise failed(self._stream.exit_code, self._folder, b"")
        self._lane.mark()
        return data

    def line(self) -> bytes:
        while (end := bytes(self._rest[:_LONGEST_HEAD]).find(b"\n")) < 0:
            if len(self._rest) >= _LONGEST_HEAD:
                raise strange(bytes(self._rest[:_LONGEST_HEAD]).decode("ascii", "replace"))
            self._rest = memoryview(bytes(self._rest) + self._more())
        line, self._rest = bytes(self._rest[:end]), self._rest[end + 1 :]
        return line

    def some(self, most: int) -> memoryview:
        if not self._rest:
            self._rest = memoryview(self._more())
        part, self._rest = self._rest[:most], self._rest[most:]
        return part
