"""Graceful stop: a signal only sets a flag, and the run stops at its next safe point."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from sovdeck.engine.contract.problem import ExitCode


class Stopped(Exception):
    """Raised at a safe point after a signal; carries status and exit code of the run."""

    def __init__(self, status: str, exit_code: ExitCode) -> None:
        super().__init__(status)
        self.status = status
        self.exit_code = exit_code


class StopFlag:
    """Catches SIGTERM (the server is taken away, or `sovdeck stop`) and SIGINT (a person).

    Used as a context manager; handlers are put back on leaving. `raise_if_set` is called
    where nothing is half done.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> StopFlag:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous_handlers[number] = signal.signal(number, self._record_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _record_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = number

    @property
    def is_set(self) -> bool:
        """True after a signal."""
        return self.signal is not None

    def make_stopped(self) -> Stopped:
        """The exception for the signal that came: SIGINT is a stop, SIGTERM a preemption."""
        if self.signal == signal.SIGINT:
            return Stopped("stopped", ExitCode.INTERRUPTED)
        return Stopped("preempted", ExitCode.PREEMPTED)

    def raise_if_set(self) -> None:
        """Raise Stopped when a signal has come."""
        if self.is_set:
            raise self.make_stopped()


def with_stop_check(emit: Callable[..., None], stop: StopFlag) -> Callable[..., None]:
    """An `emit` that raises Stopped after a signal, for stages that emit after each item."""

    def emit_or_stop(type: str, stage: str | None = None, **payload: Any) -> None:
        emit(type, stage, **payload)
        stop.raise_if_set()

    return emit_or_stop
