"""Noticing that training has stopped moving: a hung collective, disk or driver says nothing."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from engine.runtime.journal import Emit

_LEAST_S = 120.0
_TIMES = 10.0  # as long as a usual step
_SPAN = 32


class StallWatch:
    """Wraps an `emit`; says `stall` once when no step follows another for far too long.

    It only watches between the first step of a training stage and the stage's end, and not
    while a state is written or samples are spoken: every event counts as a sign of life.
    """

    def __init__(
        self, emit: Emit, *, least_s: float = _LEAST_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._emit = emit
        self._least = least_s
        self._clock = clock
        self._gaps: deque[float] = deque(maxlen=_SPAN)
        self._last: float | None = None
        self._stage: str | None = None
        self._said = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall", daemon=True)

    def emit(self, type: str, stage: str | None = None, **payload: Any) -> None:
        """Pass an event on, and take it as a sign of life (memory figures are none)."""
        self._emit(type, stage, **payload)
        now = self._clock()
        if type == "step" and payload["losses"]:
            if self._last is not None:
                self._gaps.append(now - self._last)
            self._stage, self._last, self._said = stage, now, False
        elif type in ("stage_finished", "run_finished"):
            self._stage = self._last = None
            self._gaps.clear()
        elif type != "memory" and self._last is not None:
            self._last = now

    def check(self) -> None:
        """Emit `stall` when it is time to; called by the thread once a second."""
        last, stage = self._last, self._stage
        if last is None or self._said or not self._gaps:
            return
        waited = self._clock() - last
        if waited > max(self._least, _TIMES * statistics.median(self._gaps)):
            self._said = True
            self._emit("stall", stage, seconds=waited, why="no_step")

    def __enter__(self) -> StallWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(1.0):
            self.check()
