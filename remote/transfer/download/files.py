"""Downloads chosen files of a server: many small ones in few streams, large ones by range.

Every file is whole and verified, or absent.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.concurrency import ConcurrencyController, initial_connections
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.progress import Report, TransferMeter, TransferProgress
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool, WorkQueue
from sovdeck.remote.transfer.download.file import pull
from sovdeck.remote.transfer.download.part_file import FREE_SPACE_RESERVE, disk_errors
from sovdeck.remote.transfer.download.tar_batches import (
    BatchQueue,
    BatchWorker,
    DownloadItem,
    IncomingFiles,
)

# Beyond this a file goes by ranges, so that a cut inside it costs little.
LARGE_BYTES = 8 << 20
INCOMING = ".sovdeck-pull"

# Hears of each file that is here, with its SHA-256 (hex).
OnReceived = Callable[[DownloadItem, str], None]


def pull_files(
    connect: Connect,
    folder: str,
    items: Sequence[DownloadItem],
    dest: Path,
    *,
    first: TransferConnection,
    meter: TransferMeter,
    report: Report,
    cancel: threading.Event,
    on_received: OnReceived,
    bandwidth: float | None,
    tuning: Tuning,
) -> None:
    """Fetch `items` of the remote `folder` to their places below `dest`; raises Problem.

    `first` is an open connection of the caller's, which may be used up.
    """
    need = sum(item.size for item in items)
    meter.total = need
    check_free_space(dest, need)
    meter.phase = "receive"
    small = [item for item in items if item.size <= LARGE_BYTES]
    if small:
        size = sum(item.size for item in small)
        workers = initial_connections(first.rtt, size, tuning.max_connections)
        batches, incoming = BatchQueue(small, workers), dest / INCOMING
        incoming_files, limiter, ready = (
            IncomingFiles(incoming, on_received),
            RateLimiter(bandwidth),
            deque([first]),
        )

        def open_worker() -> BatchWorker:
            connection = ready.popleft() if ready else connect()
            return BatchWorker(connection, folder, batches, incoming_files, meter, limiter)

        pool = WorkerPool(open_worker, meter, report, cancel, tuning)
        pool.run(
            WorkQueue(lambda: batches.waiting, lambda: batches.over),
            ConcurrencyController(workers, tuning),
        )
        shutil.rmtree(incoming, ignore_errors=True)  # only unfinished files are in it
    for item in items:
        if item.size > LARGE_BYTES:
            _pull_large(
                connect, folder, item, meter, report, cancel, on_received, bandwidth, tuning
            )


def _pull_large(
    connect: Connect,
    folder: str,
    item: DownloadItem,
    meter: TransferMeter,
    report: Report,
    cancel: threading.Event,
    on_received: OnReceived,
    bandwidth: float | None,
    tuning: Tuning,
) -> None:
    before = meter.progress().done

    def inner(progress: TransferProgress) -> None:
        report(replace(progress, done=before + progress.done, total=meter.total))

    path = f"{folder.rstrip('/')}/{item.path}"
    done = pull(
        connect,
        path,
        item.local.parent,
        report=inner,
        cancel=cancel,
        bandwidth=bandwidth,
        name=item.local.name,
        tuning=tuning,
    )
    assert done.sha256 is not None
    on_received(item, done.sha256)
    meter.add(item.size)
    meter.retries += done.retries


def check_free_space(dest: Path, need: int) -> None:
    """Problem when the disk here has not `need` bytes and some to spare."""
    with disk_errors(dest):
        dest.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(dest).free
    if free < need + FREE_SPACE_RESERVE:
        raise Problem(
            "remote.transfer.no_space",
            ExitCode.DATA,
            path=str(dest),
            need=format_bytes(need + FREE_SPACE_RESERVE),
            free=format_bytes(free),
        )
