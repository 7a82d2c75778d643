"""Downloads checkpoints while a run goes on, in a thread beside whatever follows the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.voices.sync import SyncResult

# Events after which a file was written. Samples of the same checkpoint follow within moments.
_TRIGGER_EVENTS = frozenset({"export", "run_finished"})
_DELAY_S = 2.0
_RETRY_S = 30.0

SyncOnce = Callable[[], SyncResult]
# Called with each sync that downloaded something, and with the Problem of one that failed.
OnResult = Callable[[SyncResult | Problem], None]


class AutoDownload:
    """One thread that syncs after each checkpoint; a lost connection is tried again. Thread-safe.

    sync_once: does one sync and may block; its Problem never disturbs the run or its follower.
    delay: seconds to wait after an event before syncing.
    """

    def __init__(
        self, sync_once: SyncOnce, on_result: OnResult, *, delay: float = _DELAY_S
    ) -> None:
        self._sync = sync_once
        self._on_result = on_result
        self._delay = delay
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._final_sync = False
        self._thread = threading.Thread(target=self._run, name="auto-download", daemon=True)
        self._thread.start()

    def handle_events(self, events: Iterable[Event]) -> None:
        """Take new events of the followed run; an export or the end of the run starts a sync."""
        if any(event.type in _TRIGGER_EVENTS for event in events):
            self.request()

    def request(self) -> None:
        """Sync soon: files may have been written already."""
        self._wake.set()

    def close(self, *, final_sync: bool = False) -> None:
        """End the thread; `final_sync` syncs once more before. Waits for a sync that goes on."""
        self._final_sync = final_sync
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            ending = self._stop.wait(self._delay)
            if ending and not self._final_sync:
                return
            self._wake.clear()
            retry = self._sync_once()
            if ending or retry is None:
                return
            if retry and not self._stop.wait(_RETRY_S):
                self._wake.set()

    def _sync_once(self) -> bool | None:
        """Sync; whether it should be tried again soon, None when it was cancelled."""
        try:
            synced = self._sync()
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERRUPTED:
                return None
            self._on_result(problem)
            return problem.exit_code is ExitCode.UNREACHABLE
        if synced.files:
            self._on_result(synced)
        return False
