"""Step events of the prepare stage, with a rate and a time to go measured on real work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sovdeck.engine.contract.problem import Problem

Emit = Callable[..., Any]


class PrepareProgress:
    """Counts items and emits step events; items found ready do not count towards the rate."""

    def __init__(self, emit: Emit, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit, self._clock = emit, clock
        self._start = clock()
        self.total = total
        self.done = self.remade = 0

    def count_item(self, *, remade: bool) -> None:
        """Count one finished item; emit a step event when it was remade or is the last."""
        self.done += 1
        if not remade and self.done < self.total:
            return
        self.remade += remade
        elapsed = self._clock() - self._start
        rate = self.remade / elapsed if self.remade and elapsed > 0 else None
        left = self.total - self.done
        self._emit(
            "step",
            stage="prepare",
            step=self.done,
            total=self.total,
            losses={},
            rate=rate,
            eta_s=left / rate if rate and left else None,  # after the last one come the tokens
        )

    def warn(self, problem: Problem) -> None:
        """Emit a warning of the prepare stage."""
        emit_warning(self._emit, problem)


def emit_warning(emit: Emit, problem: Problem) -> None:
    """Emit a warning of the prepare stage."""
    emit("warning", stage="prepare", **problem.as_json())
