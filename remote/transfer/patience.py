"""Trying again what a weak line broke, with growing waits and a limit."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from time import monotonic
from typing import TypeVar

from engine.contract.problem import ExitCode, Problem
from remote.transfer.progress import Meter
from remote.transfer.tuning import Tuning

T = TypeVar("T")


def patiently(
    action: Callable[[], T], tuning: Tuning, cancel: threading.Event, meter: Meter, *, limit: float
) -> T:
    """Do `action`; when the line is lost, again, until it works or `limit` seconds went by.

    Only for what may be repeated. Raises the last Problem, or `cancelled`.
    """
    began, pause = monotonic(), tuning.reconnect
    while True:
        if cancel.is_set():
            raise cancelled()
        try:
            return action()
        except Problem as problem:
            late = monotonic() - began + pause > limit
            if problem.exit_code is not ExitCode.UNREACHABLE or late:
                raise
        meter.retries += 1
        cancel.wait(pause * random.uniform(0.7, 1.3))
        pause = min(pause * 2, tuning.reconnect_most)


def awaited(future: Future[T], cancel: threading.Event, tick: float, tell: Callable[[], None]) -> T:
    """The future's result, or `cancelled`; `tell` is called every `tick` seconds until then."""
    while not cancel.is_set():
        if wait((future,), tick).done:
            return future.result()
        tell()
    raise cancelled()


def cancelled() -> Problem:
    return Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED)
