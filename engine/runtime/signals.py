"""Stopping well: a signal only sets a flag, and the run stops at its next safe point."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from engine.contract.problem import ExitCode


class Stopped(Exception):
    """Raised at a safe point after a signal; carries how the run ends."""

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
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopFlag:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number

    @property
    def is_set(self) -> bool:
        return self.signal is not None

    def ending(self) -> Stopped:
        """How a run ends that was asked to stop."""
        if self.signal == signal.SIGINT:
            return Stopped("stopped", ExitCode.INTERRUPTED)
        return Stopped("preempted", ExitCode.PREEMPTED)

    def raise_if_set(self) -> None:
        if self.is_set:
            raise self.ending()


def stopping(emit: Callable[..., None], stop: StopFlag) -> Callable[..., None]:
    """An `emit` that also stops the run: for stages that report after each finished item."""

    def emit_or_stop(type: str, stage: str | None = None, **payload: Any) -> None:
        emit(type, stage, **payload)
        stop.raise_if_set()

    return emit_or_stop
