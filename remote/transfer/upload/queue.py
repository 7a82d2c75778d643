"""What a push still has to send: small files in batches, large ones in ranges. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sovdeck.remote.transfer.core.batch_queue import BatchQueue
from sovdeck.remote.transfer.core.ranges import RangeQueue

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


@dataclass(frozen=True)
class LargeFile:
    """A content that goes in ranges; the queue knows which are missing on the server."""

    content: Content
    queue: RangeQueue


@dataclass(frozen=True)
class UploadQueue:
    """Shared by all connections of one push."""

    small: BatchQueue[Content]
    large: Sequence[LargeFile]

    @property
    def waiting(self) -> bool:
        """Whether something can be taken now."""
        return self.small.waiting or any(file.queue.waiting for file in self.large)

    @property
    def left(self) -> int:
        """Bytes that were not sent yet."""
        return self.small.left + sum(file.queue.left for file in self.large)

    @property
    def over(self) -> bool:
        """Whether everything was sent."""
        return self.small.over and all(file.queue.over for file in self.large)
