"""How far a transfer is: bytes, speed, time left, retries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True)
class TransferProgress:
    """One report. Bytes and seconds; `eta_s` is None while the speed is not known.

    `phase`: connect | hash | compare | pack | send | receive | verify | done. `protocol`: "sftp",
    "exec" where the server has no SFTP, or "http". `connections` is how many carry bytes now.
    """

    done: int
    total: int
    bytes_per_second: float
    eta_s: float | None
    retries: int
    phase: str
    protocol: str = "sftp"
    connections: int = 0


Report = Callable[[TransferProgress], None]


class TransferMeter:
    """Counts bytes from any thread; speed is the mean of the last few seconds."""

    SPAN = 4.0  # seconds the shown speed looks back

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)])
        self.moved = 0  # by this transfer, without what was there before
        self.total = 0
        self.already_there = 0  # bytes that were there before this transfer began
        self.retries = 0
        self.phase = "connect"
        self.protocol = "sftp"
        self.connections = 0

    def add(self, count: int) -> None:
        """Count bytes that were moved."""
        with self._lock:
            self.moved += count

    def progress(self) -> TransferProgress:
        """Make a report of the present state."""
        now, moved = self._clock(), self.moved
        self._marks.append((now, moved))
        while len(self._marks) > 2 and self._marks[1][0] <= now - self.SPAN:
            self._marks.popleft()
        then, before = self._marks[0]
        rate = max(0.0, (moved - before) / (now - then)) if now > then else 0.0
        done = min(self.already_there + moved, self.total)
        eta = (self.total - done) / rate if rate > 0 else (0.0 if done >= self.total else None)
        return TransferProgress(
            done, self.total, rate, eta, self.retries, self.phase, self.protocol, self.connections
        )
