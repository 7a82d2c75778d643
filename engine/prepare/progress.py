"""Step events of the prepare stage, with a rate and a time to go measured on real work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.contract.problem import Problem

Emit = Callable[..., Any]


class Progress:
    """Counts items; those found ready count as done but not towards the rate."""

    def __init__(self, emit: Emit, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit, self._clock = emit, clock
        self._start = clock()
        self.total = total
        self.done = self.worked = 0

    def item(self, *, worked: bool) -> None:
        self.done += 1
        if not worked and self.done < self.total:
            return
        self.worked += worked
        elapsed = self._clock() - self._start
        rate = self.worked / elapsed if self.worked and elapsed > 0 else None
        self._emit(
            "step",
            stage="prepare",
            step=self.done,
            total=self.total,
            losses={},
            rate=rate,
            eta_s=(self.total - self.done) / rate if rate else None,
        )

    def warn(self, problem: Problem) -> None:
        warning(self._emit, problem)


def warning(emit: Emit, problem: Problem) -> None:
    emit("warning", stage="prepare", **problem.as_json())
