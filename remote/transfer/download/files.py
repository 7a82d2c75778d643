"""Downloads chosen files of a server: many small ones in few streams, large ones by range.

Every file is whole and verified, or absent; what is here already is not fetched again.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.core.batch_queue import BatchQueue, fair_batch
from sovdeck.remote.transfer.core.concurrency import connections_for
from sovdeck.remote.transfer.core.context import TransferContext
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.transfer.core.progress import Report, TransferMeter, TransferProgress
from sovdeck.remote.transfer.core.tuning import STREAM_BYTES, Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool
from sovdeck.remote.transfer.download.file import pull_over
from sovdeck.remote.transfer.download.part_file import check_free_space, disk_errors
from sovdeck.remote.transfer.download.tar_batches import BatchReceiver, DownloadItem, OnReceived
from sovdeck.remote.transfer.sftp.worker import TransferWorker

# One stream: a file that has come whole never comes again.
MAX_BATCH_BYTES = 128 << 20
# Each pull has a folder of its own for what is not whole yet: two at once never share a file.
INCOMING_PREFIX = ".sovdeck-pull-"
_ABANDONED_S = 86_400.0  # a folder without a new file for so long is one of a pull that was killed


def split_missing(
    connection: TransferConnection,
    folder: str,
    found: Sequence[RemoteFile],
    items: Sequence[DownloadItem],
) -> tuple[list[DownloadItem], list[tuple[DownloadItem, str]]]:
    """Items that are not here, and those that are with their SHA-256.

    The server hashes only what has a namesake of its size here.
    """
    likely = {item.path: item for item in items if _same_size(item)}
    named = [one for one in found if one.path in likely]
    theirs = remote_files.fetch_sha256_sums(connection, folder, named) if named else {}
    same: dict[str, tuple[DownloadItem, str]] = {}
    for path, item in likely.items():
        with disk_errors(item.local):
            if path in theirs and file_sha256(item.local) == theirs[path]:
                same[path] = (item, theirs[path])
    return [item for item in items if item.path not in same], list(same.values())


def _same_size(item: DownloadItem) -> bool:
    with disk_errors(item.local):
        return item.local.is_file() and item.local.stat().st_size == item.size


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
    meter.total = sum(item.size for item in items)
    check_free_space(dest, meter.total)
    meter.phase = "receive"
    before = 0  # bytes of the files that were done before a large one

    def report_all(progress: TransferProgress) -> None:
        report(replace(progress, done=before + progress.done, total=meter.total))

    small = [item for item in items if item.size <= STREAM_BYTES]
    with TransferContext(connect, report_all, cancel, tuning, bandwidth, meter, first) as transfer:
        if small:
            _pull_small(transfer, folder, small, dest, on_received)
        for item in items:
            if item.size <= STREAM_BYTES:
                continue
            before, transfer.meter = meter.progress().done, TransferMeter()
            remote_path = f"{folder.rstrip('/')}/{item.path}"
            done = pull_over(transfer, remote_path, item.local, size=item.size)
            assert done.sha256 is not None
            on_received(item, done.sha256)
            meter.add(item.size)
            meter.retries += done.retries


def _pull_small(
    transfer: TransferContext,
    folder: str,
    items: Sequence[DownloadItem],
    dest: Path,
    on_received: OnReceived,
) -> None:
    """Fetch files many to a stream."""
    size, rtt = sum(item.size for item in items), transfer.ask(lambda standing: standing.rtt)
    connections = connections_for(rtt, size, transfer.tuning.connections)
    queue = BatchQueue(items, fair_batch(size, connections, MAX_BATCH_BYTES))
    make = partial(TransferWorker, sftp=False)
    first = transfer.ask(partial(make, keeps_connection=True))
    with _incoming_folder(dest) as incoming:
        receiver = BatchReceiver(transfer, folder, queue, incoming, on_received)
        WorkerPool(transfer, queue, make, receiver.work, first).run(rtt)


@contextmanager
def _incoming_folder(dest: Path) -> Iterator[Path]:
    """A new folder below `dest` for the files of one pull; removed with what is unfinished."""
    with disk_errors(dest):
        for old in dest.glob(f"{INCOMING_PREFIX}*"):
            with suppress(FileNotFoundError):  # its pull has just ended
                if time.time() - old.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(old, ignore_errors=True)
        incoming = Path(tempfile.mkdtemp(prefix=INCOMING_PREFIX, dir=dest))
    try:
        yield incoming
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
