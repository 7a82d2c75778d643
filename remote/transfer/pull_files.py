"""Chosen files of a server brought home: many small ones in few streams, large ones by range.

Every file is whole and verified, or absent.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.transfer.bandwidth import Cap
from remote.transfer.batches import Batches, BatchSeat, Item, Landing
from remote.transfer.channel import Connect, Link, Stream
from remote.transfer.crew import Crew, Work
from remote.transfer.part_file import SPARE, disk_errors, mib
from remote.transfer.progress import Meter, Progress, Report
from remote.transfer.pull import pull
from remote.transfer.ramp import Ramp, first_guess
from remote.transfer.tuning import Tuning

# Beyond this a file goes by ranges, so that a cut inside it costs little.
LARGE = 8 << 20
INCOMING = ".sovdeck-pull"

# Hears of each file that is here, with its SHA-256 (hex).
Came = Callable[[Item, str], None]


def pull_files(
    connect: Connect,
    folder: str,
    items: Sequence[Item],
    dest: Path,
    *,
    first: Link,
    stream: Stream | None = None,
    meter: Meter,
    report: Report,
    cancel: threading.Event,
    came: Came,
    bandwidth: float | None,
    tuning: Tuning,
) -> None:
    """Fetch `items` of the remote `folder` to their places below `dest`; raises Problem.

    `first` is an open link of the caller's, which may be used up, and `stream` one of its streams
    that waits to be asked for small files, see `agent_reading.offered`.
    """
    need = sum(item.size for item in items)
    meter.total = need
    expect_room(dest, need)
    meter.phase = "receive"
    small = [item for item in items if item.size <= LARGE]
    if small:
        size = sum(item.size for item in small)
        lanes = first_guess(first.rtt, size, tuning.most_connections)
        batches, incoming = Batches(small, lanes), dest / INCOMING
        landing, cap, ready = Landing(incoming, came), Cap(bandwidth), deque([(first, stream)])

        def open_seat() -> BatchSeat:
            link, waiting = ready.popleft() if ready else (connect(), None)
            return BatchSeat(link, folder, batches, landing, meter, cap, waiting)

        crew = Crew(open_seat, meter, report, cancel, tuning)
        crew.run(Work(lambda: batches.waiting, lambda: batches.over), Ramp(lanes, tuning))
        shutil.rmtree(incoming, ignore_errors=True)  # only unfinished files are in it
    for item in items:
        if item.size > LARGE:
            _pull_large(connect, folder, item, meter, report, cancel, came, bandwidth, tuning)


def _pull_large(
    connect: Connect, folder: str, item: Item, meter: Meter, report: Report,
    cancel: threading.Event, came: Came, bandwidth: float | None, tuning: Tuning,
) -> None:  # fmt: skip
    before = meter.progress().done

    def inner(progress: Progress) -> None:
        report(replace(progress, done=before + progress.done, total=meter.total))

    path = f"{folder.rstrip('/')}/{item.path}"
    done = pull(
        connect, path, item.local.parent, report=inner, cancel=cancel, bandwidth=bandwidth,
        name=item.local.name, tuning=tuning,
    )  # fmt: skip
    assert done.sha256 is not None
    came(item, done.sha256)
    meter.add(item.size)
    meter.retries += done.retries


def expect_room(dest: Path, need: int) -> None:
    """Problem when the disk here has not `need` bytes and some to spare."""
    with disk_errors(dest):
        dest.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(dest).free
    if free < need + SPARE:
        raise Problem(
            "remote.transfer.no_space", ExitCode.DATA, path=str(dest), need=mib(need + SPARE),
            free=mib(free),
        )  # fmt: skip
