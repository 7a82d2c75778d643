"""Jobs: named daemon threads with a cancel event each.

A server's watch lives as long as the dashboard, so a pool would run dry; and a daemon thread
cannot keep the terminal from coming back when a server does not answer.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.contract.problem import Problem
from tui.services.protocols import Cancel, Emit
from tui.state.events import AuditionEnded, StoreEvent, TakeEnded, TransferEnded

JOIN_S = 2.0
_LAST_WORDS = (TransferEnded, TakeEnded, AuditionEnded)  # heard from a cancelled job too
Work = Callable[[Emit, Cancel], Any]


@dataclass(frozen=True)
class Job:
    thread: threading.Thread
    cancel: Cancel


class Jobs:
    """At most one job a group: a new one cancels the old, whose later words are not heard."""

    def __init__(
        self,
        emit: Emit,
        refused: Callable[[Problem], None],
        crashed: Callable[[str, str, str], None],
    ) -> None:
        """`refused` takes expected problems; `crashed` group, summary and traceback of faults."""
        self._emit = emit
        self._refused = refused
        self._crashed = crashed
        self._jobs: dict[str, Job] = {}
        self.closing = threading.Event()

    def __contains__(self, group: str) -> bool:
        return group in self._jobs

    def groups(self, beginning: str) -> list[str]:
        return [group for group in self._jobs if group.startswith(beginning)]

    def busy(self, group: str) -> bool:
        job = self._jobs.get(group)
        return job is not None and job.thread.is_alive()

    def run(self, group: str, work: Work) -> None:
        self.cancel(group)
        if self.closing.is_set():
            return
        cancel = threading.Event()
        thread = threading.Thread(
            target=self._guarded, args=(group, work, cancel), name=group, daemon=True
        )
        self._jobs[group] = Job(thread, cancel)
        thread.start()

    def cancel(self, group: str) -> None:
        job = self._jobs.get(group)
        if job is not None:
            job.cancel.set()

    def forget(self, group: str) -> None:
        """Cancel, and let the group be started anew."""
        self.cancel(group)
        self._jobs.pop(group, None)

    def close(self) -> None:
        """Cancel every job and wait a moment for those that heed it."""
        self.closing.set()
        jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        end = time.monotonic() + JOIN_S
        for job in jobs:
            job.thread.join(max(0.0, end - time.monotonic()))

    def _guarded(self, group: str, work: Work, cancel: Cancel) -> None:
        def emit(event: StoreEvent) -> None:
            if not cancel.is_set() or isinstance(event, _LAST_WORDS):
                self._emit(event)

        try:
            work(emit, cancel)
        except Problem as problem:
            if not cancel.is_set():
                self._refused(problem)
        except Exception as error:  # noqa: BLE001  a fault of ours is shown, never swallowed
            if not self.closing.is_set():
                summary = f"{type(error).__name__}: {error}"
                self._crashed(group, summary, traceback.format_exc())
