"""Background tasks: named daemon threads with a cancel event each.

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

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state.events import AuditionEnded, StoreEvent, TakeEnded, TransferEnded

JOIN_TIMEOUT_S = 2.0
_FINAL_EVENTS = (TransferEnded, TakeEnded, AuditionEnded)  # heard from a cancelled job too
TaskFunction = Callable[[Emit, Cancel], Any]


@dataclass(frozen=True)
class BackgroundTask:
    """A running thread and the event that cancels it."""

    thread: threading.Thread
    cancel: Cancel


class BackgroundTasks:
    """At most one task a group: a new one cancels the old, whose later events are dropped."""

    def __init__(
        self,
        emit: Emit,
        on_problem: Callable[[Problem], None],
        on_crash: Callable[[str, str, str], None],
    ) -> None:
        """`on_problem` takes expected problems, `on_crash` group, summary and traceback of bugs."""
        self._emit = emit
        self._on_problem = on_problem
        self._on_crash = on_crash
        self._tasks: dict[str, BackgroundTask] = {}
        self._starting = threading.Lock()  # tasks are started from tasks too
        self.closing = threading.Event()

    def __contains__(self, group: str) -> bool:
        return group in self._tasks

    def groups(self, prefix: str) -> list[str]:
        """The groups that had a task, by prefix."""
        return [group for group in self._tasks if group.startswith(prefix)]

    def is_running(self, group: str) -> bool:
        """Whether the group's task is still at work."""
        task = self._tasks.get(group)
        return task is not None and task.thread.is_alive()

    def run(self, group: str, function: TaskFunction) -> None:
        """Start `function` in a thread, in place of the group's last task."""
        with self._starting:
            self.cancel(group)
            if self.closing.is_set():
                return
            cancel = threading.Event()
            thread = threading.Thread(
                target=self._run_guarded, args=(group, function, cancel), name=group, daemon=True
            )
            self._tasks[group] = BackgroundTask(thread, cancel)
            thread.start()

    def cancel(self, group: str) -> None:
        """Ask the group's task to stop."""
        task = self._tasks.get(group)
        if task is not None:
            task.cancel.set()

    def forget(self, group: str) -> None:
        """Cancel the group's task, and let `groups` and `in` know it no more."""
        self.cancel(group)
        self._tasks.pop(group, None)

    def close(self) -> None:
        """Cancel every task and wait up to JOIN_TIMEOUT_S for them."""
        self.closing.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel.set()
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        for task in tasks:
            task.thread.join(max(0.0, deadline - time.monotonic()))

    def _run_guarded(self, group: str, function: TaskFunction, cancel: Cancel) -> None:
        def emit(event: StoreEvent) -> None:
            if not cancel.is_set() or isinstance(event, _FINAL_EVENTS):
                self._emit(event)

        try:
            function(emit, cancel)
        except Problem as problem:
            if not cancel.is_set():
                self._on_problem(problem)
        except Exception as error:  # noqa: BLE001  a fault of ours is shown, never swallowed
            if not self.closing.is_set():
                summary = f"{type(error).__name__}: {error}"
                self._on_crash(group, summary, traceback.format_exc())
