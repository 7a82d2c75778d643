"""Trying again what a weak line broke, with growing waits and a limit."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from time import monotonic
from typing import TypeVar

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import is_lost_line
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.core.tuning import Tuning

T = TypeVar("T")


def retry_with_backoff(
    action: Callable[[], T],
    tuning: Tuning,
    cancel: threading.Event,
    meter: TransferMeter,
    *,
    limit: float,
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
            if late or not is_lost_line(problem, worked=meter.moved > 0):
                raise
        meter.retries += 1
        cancel.wait(pause * random.uniform(0.7, 1.3))
        pause = min(pause * 2, tuning.reconnect_max)


def wait_for(
    future: Future[T], cancel: threading.Event, tick: float, on_tick: Callable[[], None]
) -> T:
    """The future's result, or `cancelled`; `on_tick` is called every `tick` seconds until then."""
    while not cancel.is_set():
        if wait((future,), tick).done:
            return future.result()
        on_tick()
    raise cancelled()


def cancelled() -> Problem:
    """Make the Problem for a transfer that the user stopped."""
    return Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED)
