"""What a push still has to send: small files in batches, large ones in ranges. No I/O."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sovdeck.remote.transfer.core.ranges import RangeQueue

# Up to here a file goes into a stream of many; beyond, it goes in ranges and can be resumed.
SMALL_BYTES = 1 << 20
# One stream: at most this is sent again when the line breaks under it.
BATCH_BYTES, NEAR_BATCH_BYTES = 32 << 20, 128 << 20
BATCH_FILES = 4000
CHUNK = 256 << 10  # bytes written at a time


@dataclass(frozen=True)
class Content:
    """One content to send: where it is here, how many bytes, SHA-256 (hex).

    `data`: the bytes, where they were kept when they were hashed.
    """

    local: Path
    size: int
    sha256: str
    data: bytes | None = None

    def without_data(self) -> Content:
        """Copy without the bytes."""
        return Content(self.local, self.size, self.sha256)


@dataclass(frozen=True)
class LargeFile:
    """A content that goes in ranges; the queue knows which are missing on the server."""

    content: Content
    queue: RangeQueue


class UploadQueue:
    """Shared by all connections of one push; every method is thread-safe."""

    def __init__(
        self, small: Iterable[Content], large: Iterable[LargeFile], batch: int = BATCH_BYTES
    ) -> None:
        """batch: bytes of small files for one stream."""
        self._batch = batch
        self._lock = threading.Lock()
        self._small = deque(small)
        self._taken = 0
        self.large = list(large)

    def take_batch(self) -> list[Content]:
        """Small files for one stream; empty when none waits."""
        batch: list[Content] = []
        size = 0
        with self._lock:
            while self._small and size < self._batch and len(batch) < BATCH_FILES:
                content = self._small.popleft()
                batch.append(content)
                size += content.size
            self._taken += len(batch)
        return batch

    def batch_done(self, batch: list[Content]) -> None:
        """Count a batch as sent."""
        with self._lock:
            self._taken -= len(batch)

    def give_back(self, batch: list[Content]) -> None:
        """Put back a batch that was not sent."""
        with self._lock:
            self._taken -= len(batch)
            self._small.extendleft(reversed(batch))

    @property
    def waiting(self) -> bool:
        """Whether something can be taken now."""
        with self._lock:
            if self._small:
                return True
        return any(file.queue.waiting for file in self.large)

    @property
    def over(self) -> bool:
        """Whether everything was sent."""
        with self._lock:
            if self._small or self._taken:
                return False
        return all(file.queue.left == 0 for file in self.large)
