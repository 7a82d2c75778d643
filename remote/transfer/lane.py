"""One connection's share of a transfer, as its thread and the watcher both see it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol


@dataclass
class Lane:
    """`owed` is set while the server still owes us bytes; `heard` is when some last came.

    The watcher reads both to notice a line that died without a word, and sets `leave` to end
    the lane after what is on the way has arrived.
    """

    owed: bool = False
    heard: float = field(default_factory=monotonic)
    leave: threading.Event = field(default_factory=threading.Event)

    def mark(self) -> None:
        self.heard = monotonic()

    def owe(self, owed: bool) -> None:
        if owed and not self.owed:
            self.mark()
        self.owed = owed


class Seat(Protocol):
    """A connection that is ready to work: SFTP or plain commands, down or up."""

    def work(self, lane: Lane) -> None:
        """Move ranges until none waits or `lane.leave` is set; give back what is unfinished."""

    def close(self) -> None:
        """End the connection; may be called from another thread to wake `work`."""
