"""What verbs that move bytes share: how far it is, how fast it may go, how it is stopped."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.contract.problem import ExitCode, Problem
from tui.console import Console, duration, size

if TYPE_CHECKING:
    from remote.config.schema import Config
    from remote.transfer.progress import Progress
    from remote.transfer.tuning import Tuning

EVERY_S = 0.5
BYTES_PER_MBIT = 1e6 / 8


def add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_mbit, metavar="MBIT")


def _mbit(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise ValueError(text)
    return value


def limit(config: Config, given: float | None = None) -> float | None:
    """Bytes a second: the option, else deploy.toml's; None is no limit."""
    mbit = config.pull.limit_mbit if given is None else given
    return mbit * BYTES_PER_MBIT or None


def tuning(config: Config) -> Tuning:
    """How many connections deploy.toml allows; else as many as the line rewards."""
    from remote.transfer.tuning import Tuning

    most = config.pull.connections
    return Tuning(most_connections=most) if most else Tuning()


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """A cancel event that Ctrl-C sets; the Problem it becomes says how to go on (exit 130)."""
    cancel = threading.Event()
    try:
        yield cancel
    except KeyboardInterrupt:
        cancel.set()
        raise Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED) from None


def show_progress(console: Console) -> Callable[[Progress], None]:
    """A report for `pull` and `push`; quick calls are thinned to two a second."""
    last = 0.0

    def report(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_S and progress.done < progress.total:
            return
        last = now
        console.emit(
            {
                "progress": progress.phase, "done": progress.done, "total": progress.total,
                "bytes_per_second": round(progress.bytes_per_second), "eta_s": progress.eta_s,
                "retries": progress.retries, "way": progress.way,
            }
        )  # fmt: skip
        console.live(line(progress))

    return report


def line(progress: Progress) -> str:
    """`receive  412.0 MB / 689.0 MB  23.1 MB/s  12 s`."""
    parts = [
        progress.phase,
        f"{size(progress.done)} / {size(progress.total)}",
        f"{size(progress.bytes_per_second)}/s",
        duration(progress.eta_s),
    ]
    return "  ".join(parts)
