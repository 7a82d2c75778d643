"""The state of one connection of a transfer, shared by its thread and the pool."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol


@dataclass
class WorkerState:
    """`awaiting_data`: the server owes bytes; `last_active`: when some last came (monotonic s).

    The pool reads both to notice a dead line. It sets `stop_requested` to end the worker after
    what is on the way has arrived.
    """

    awaiting_data: bool = False
    last_active: float = field(default_factory=monotonic)
    stop_requested: threading.Event = field(default_factory=threading.Event)

    def mark_active(self) -> None:
        """Note that the server was heard from now."""
        self.last_active = monotonic()

    def set_awaiting_data(self, awaiting: bool) -> None:
        """Note whether the server owes an answer."""
        if awaiting and not self.awaiting_data:
            self.mark_active()
        self.awaiting_data = awaiting


class Worker(Protocol):
    """A connection that is ready to work: SFTP or plain commands, down or up."""

    def work(self, state: WorkerState) -> None:
        """Move ranges until none waits or a stop is requested; give back what is unfinished."""

    def close(self) -> None:
        """End the connection; may be called from another thread to wake `work`."""
