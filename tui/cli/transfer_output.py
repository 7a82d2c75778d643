"""What commands that transfer files share: progress, bandwidth limit, Ctrl-C."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sovdeck.engine.contract.format import format_bytes, format_short_duration
from sovdeck.engine.contract.number_options import amount
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.tui.cli.console import Console

REPORT_INTERVAL_S = 0.5


def add_limit_option(parser: argparse.ArgumentParser) -> None:
    """Add `--limit MBIT`."""
    parser.add_argument("--limit", type=amount(0, 1e6), metavar="MBIT")


@contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """Context manager: a cancel event that Ctrl-C sets; Problem with exit code 130 then."""
    cancel = threading.Event()
    try:
        yield cancel
    except KeyboardInterrupt:
        cancel.set()
        raise Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED) from None


def ignore_progress(progress: TransferProgress) -> None:
    """Print nothing."""


def progress_reporter(console: Console) -> Callable[[TransferProgress], None]:
    """A progress callback that prints at most twice a second."""
    last = 0.0

    def report(progress: TransferProgress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < REPORT_INTERVAL_S and progress.done < progress.total:
            return
        last = now
        console.print_json(
            {
                "progress": progress.phase,
                "done": progress.done,
                "total": progress.total,
                "bytes_per_second": round(progress.bytes_per_second),
                "eta_s": progress.eta_s,
                "retries": progress.retries,
                "protocol": progress.protocol,
            }
        )
        console.show_progress(format_transfer_progress(progress))

    return report


def format_transfer_progress(progress: TransferProgress) -> str:
    """`receive  412.0 MB / 689.0 MB  23.1 MB/s  12 s`."""
    parts = [
        progress.phase,
        f"{format_bytes(progress.done)} / {format_bytes(progress.total)}",
        f"{format_bytes(progress.bytes_per_second)}/s",
        format_short_duration(progress.eta_s),
    ]
    return "  ".join(parts)
