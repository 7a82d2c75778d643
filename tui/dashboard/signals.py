"""Leaving on SIGTERM and SIGHUP: the terminal gets its screen and its keys back first."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from typing import Any

from textual.app import App


def leave_on_signals(app: App[Any]) -> None:
    """End the running app in order on SIGTERM and SIGHUP, with exit code 128 + number.

    Without this the process would die at once and leave the terminal on the alternate screen
    without echo. Windows has no such signals.
    """
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(app.exit, return_code=128 + number))
