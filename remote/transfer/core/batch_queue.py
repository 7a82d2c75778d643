"""Small files that go many to a stream: what waits, and what is out with a connection. No I/O."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from sovdeck.remote.transfer.core.tuning import BATCH_FILES, MIN_BATCH_BYTES


class Sized(Protocol):
    """A file of so many bytes."""

    @property
    def size(self) -> int:
        """Bytes."""


S = TypeVar("S", bound=Sized)


def fair_batch(size: int, connections: int, most: int) -> int:
    """Bytes of a batch, so that `size` is as many batches of at most `most` for each connection."""
    rounds = max(1, -(-size // (connections * most)))
    return max(MIN_BATCH_BYTES, size // (connections * rounds) + 1)


class BatchQueue(Generic[S]):
    """Shared by all that take from it. A batch is full after `most` bytes, or so many files."""

    def __init__(self, files: Iterable[S], most: int, most_files: int = BATCH_FILES) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._most_files = most_files
        self._waiting = deque(files)
        self._taken = 0
        self.left = sum(file.size for file in self._waiting)

    def take(self) -> list[S]:
        """Files for one stream; empty when none waits."""
        batch: list[S] = []
        size = 0
        with self._lock:
            while self._waiting and size < self._most and len(batch) < self._most_files:
                batch.append(self._waiting.popleft())
                size += batch[-1].size
            self._taken += len(batch)
        return batch

    def complete(self, batch: list[S], done: int) -> None:
        """The first `done` of a batch were moved; the rest wait again."""
        with self._lock:
            self._taken -= len(batch)
            self._waiting.extendleft(reversed(batch[done:]))
            self.left -= sum(file.size for file in batch[:done])

    @property
    def waiting(self) -> bool:
        """Whether a file can be taken now."""
        return bool(self._waiting)

    @property
    def over(self) -> bool:
        """Whether every file was moved."""
        with self._lock:
            return not self._waiting and not self._taken
