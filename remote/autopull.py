"""Brings saves home while a run goes on, beside whoever follows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from engine.contract.events import Event
from engine.contract.problem import ExitCode, Problem
from remote.sync import Synced

# What makes it worth a look: a file was written. Samples of the same save follow within moments.
_NEWS = frozenset({"export", "run_finished"})
_SETTLE_S = 2.0
_AGAIN_S = 30.0

Bring = Callable[[], Synced]
# Hears of each look that brought something, and of those that failed.
Told = Callable[[Synced | Problem], None]


class AutoPull:
    """One thread that looks after each save; a line that is down is tried again. Thread-safe.

    `bring` does one look and may block; a failed look never disturbs the run or its follower.
    """

    def __init__(self, bring: Bring, told: Told, *, settle: float = _SETTLE_S) -> None:
        self._bring = bring
        self._told = told
        self._settle = settle
        self._news = threading.Event()
        self._stop = threading.Event()
        self._last_look = False
        self._thread = threading.Thread(target=self._work, name="auto-pull", daemon=True)
        self._thread.start()

    def heard(self, events: Iterable[Event]) -> None:
        """Events of the followed run, as they come."""
        if any(event.type in _NEWS for event in events):
            self._news.set()

    def close(self, *, look: bool = False) -> None:
        """End it; `look` looks once more before. Waits for a look that is going on."""
        self._last_look = look
        self._stop.set()
        self._news.set()
        self._thread.join()

    def _work(self) -> None:
        while True:
            self._news.wait()
            ending = self._stop.wait(self._settle)
            if ending and not self._last_look:
                return
            self._news.clear()
            again = self._one_look()
            if ending or again is None:
                return
            if again and not self._stop.wait(_AGAIN_S):
                self._news.set()

    def _one_look(self) -> bool | None:
        """Whether it should be tried again soon; None when it was cancelled."""
        try:
            synced = self._bring()
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERRUPTED:
                return None
            self._told(problem)
            return problem.exit_code is ExitCode.UNREACHABLE
        if synced.files:
            self._told(synced)
        return False
