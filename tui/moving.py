"""How a transfer is shown by a verb: one line that moves, or one JSON line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.console import Console, duration, size

if TYPE_CHECKING:
    from remote.transfer.progress import Progress

EVERY_S = 0.5


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
