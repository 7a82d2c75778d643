"""Notice that training hangs: a hung collective, disk or driver raises no error."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime.event_writer import Emit

_MIN_STALL_S = 120.0
_STALL_FACTOR = 10.0  # as long as a usual step
_GAP_COUNT = 32


class StallWatchdog:
    """Wraps an `emit`; emits `stall` once when no step follows another for far too long.

    It only watches between the first step of a training stage and the stage's end, and not
    while a checkpoint is written or samples are spoken: every event counts as activity.
    """

    def __init__(
        self,
        emit: Emit,
        *,
        min_stall_s: float = _MIN_STALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._emit = emit
        self._min_stall_s = min_stall_s
        self._clock = clock
        self._gaps: deque[float] = deque(maxlen=_GAP_COUNT)
        self._last_activity: float | None = None
        self._stage: str | None = None
        self._reported = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall", daemon=True)

    def emit(self, type: str, stage: str | None = None, **payload: Any) -> None:
        """Pass an event on, and count it as activity unless it is a `memory` event."""
        self._emit(type, stage, **payload)
        now = self._clock()
        if type == "step" and payload["losses"]:
            if self._last_activity is not None:
                self._gaps.append(now - self._last_activity)
            self._stage, self._last_activity, self._reported = stage, now, False
        elif type in ("stage_finished", "run_finished"):
            self._stage = self._last_activity = None
            self._gaps.clear()
        elif type != "memory" and self._last_activity is not None:
            self._last_activity = now

    def check(self) -> None:
        """Emit `stall` when the last step is too long ago; called by the thread once a second."""
        last, stage = self._last_activity, self._stage
        if last is None or self._reported or not self._gaps:
            return
        waited = self._clock() - last
        if waited > max(self._min_stall_s, _STALL_FACTOR * statistics.median(self._gaps)):
            self._reported = True
            self._emit("stall", stage, seconds=waited, why="no_step")

    def __enter__(self) -> StallWatchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        with suppress(Problem):  # the training itself meets it at its next event
            while not self._closed.wait(1.0):
                self.check()
