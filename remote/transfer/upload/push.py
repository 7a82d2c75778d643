"""Uploads local files to a folder of the server: only what is missing there goes up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent import staging
from sovdeck.remote.transfer.agent.staging import STAGING, StagingRecord, StagingStatus
from sovdeck.remote.transfer.core.backoff import retry_with_backoff
from sovdeck.remote.transfer.core.concurrency import (
    NEAR_RTT,
    ConcurrencyController,
    initial_connections,
)
from sovdeck.remote.transfer.core.hashing import block_digests
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.progress import Report, TransferMeter
from sovdeck.remote.transfer.core.ranges import Range, RangeQueue
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool, WorkQueue
from sovdeck.remote.transfer.upload.local_files import file_sizes, hash_ahead, provisional_name
from sovdeck.remote.transfer.upload.queue import (
    BATCH_BYTES,
    NEAR_BATCH_BYTES,
    SMALL_BYTES,
    Content,
    LargeFile,
    UploadQueue,
)
from sovdeck.remote.transfer.upload.workers import UploadContext, UploadWorker

MAX_REPAIRS = 3
# From here on a file of which the server has nothing is sent while it is hashed.
UNHASHED_BYTES = 32 << 20
CACHED_BYTES = 32 << 20  # bytes of small files held in memory between hashing and sending
T = TypeVar("T")


@dataclass(frozen=True)
class PushResult:
    """What a push did. `kept_files` stood there already; `seconds` in all.

    `sent_bytes` counts file content that went over the line, staged parts of earlier pushes not.
    """

    sent_files: int
    sent_bytes: int
    kept_files: int
    seconds: float
    protocol: str
    retries: int


def push(
    connect: Connect,
    local_files: Mapping[str, Path],
    remote_folder: str,
    *,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> PushResult:
    """Make every `remote_folder/KEY` hold the content of its local file; deletes nothing there.

    Keys are relative paths with forward slashes. A file appears under its name only whole and
    verified on the server. Raises Problem; what arrived stays staged, and the next call goes on.
    """
    one = _Push(connect, remote_folder, report, cancel, tuning or Tuning(), RateLimiter(bandwidth))
    try:
        return one.run(local_files)
    finally:
        one.close()


class _Push:
    """The state of one call of `push`."""

    def __init__(
        self,
        connect: Connect,
        folder: str,
        report: Report,
        cancel: threading.Event,
        tuning: Tuning,
        limiter: RateLimiter,
    ) -> None:
        self._connect = connect
        self._folder = folder
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._limiter = limiter
        self._meter = TransferMeter()
        self._connection: TransferConnection | None = None
        self._idle_workers: deque[UploadWorker] = deque()
        self._context: UploadContext | None = None
        self._limit = tuning.first_contact

    def run(self, local_files: Mapping[str, Path]) -> PushResult:
        began = monotonic()
        for path in local_files:
            _check_path(path)
        self._meter.phase = "hash"
        wanted, found = self._scan(local_files)
        todo, kept = wanted, 0
        for turn in range(MAX_REPAIRS + 1):
            if todo:
                self._meter.phase = "compare"
                block = self._tuning.block
                have = partial(staging.query_staged, folder=self._folder, wanted=todo, block=block)
                todo, held = _keep_absent(todo, self._retry(have))
            if turn == 0:
                kept = len(wanted) - len(todo)
            if todo:
                self._send(todo, held, found)
                self._meter.phase = "verify"
                bad = self._retry(partial(staging.commit_staged, folder=self._folder, wanted=todo))
                todo = [item for number, item in enumerate(todo) if number in bad]
            if not todo:
                self._meter.phase, self._meter.already_there = "done", self._meter.total
                self._report(self._meter.progress())
                return PushResult(
                    len(wanted) - kept,
                    self._meter.moved,
                    kept,
                    monotonic() - began,
                    self._meter.protocol,
                    self._meter.retries,
                )
        raise Problem("remote.transfer.mismatch_up", ExitCode.DATA, path=todo[0].path)

    def _scan(
        self, local_files: Mapping[str, Path]
    ) -> tuple[list[StagingRecord], dict[str, Content]]:
        """What is here, by path and by SHA-256. Large files go while they are hashed."""
        sized = file_sizes(local_files)
        large = {path: size for path, size in sized.items() if size >= UNHASHED_BYTES}
        small = {path: size for path, size in sized.items() if size < UNHASHED_BYTES}
        found: dict[str, Content] = {}
        with hash_ahead(local_files, small, self._cancel) as coming:
            if not large:
                self._retry(self._prestart)
            found.update(_drop_data(coming))
        names = {path: provisional_name(local_files[path], path, large[path]) for path in large}
        if large:
            with hash_ahead(local_files, large, self._cancel) as coming:
                self._send_unhashed(local_files, large, names)
                found.update(coming)
        wanted = [
            StagingRecord(path, found[path].size, found[path].sha256, names.get(path, ""))
            for path in sized
        ]
        return wanted, {content.sha256: content for content in found.values()}

    def _prestart(self, connection: TransferConnection) -> None:
        """On a near line, what takes longest is the start of the programs there."""
        if connection.rtt < NEAR_RTT:
            for argv in staging.push_commands(self._folder, self._tuning.block):
                connection.prestart(argv)

    def _send_unhashed(
        self, local_files: Mapping[str, Path], sized: Mapping[str, int], names: Mapping[str, str]
    ) -> None:
        """Stage files of which the server has nothing under `names`, before their SHA-256."""
        fresh = self._retry(partial(staging.absent_paths, folder=self._folder, sized=sized))
        contents = [Content(local_files[path], sized[path], names[path]) for path in sorted(fresh)]
        if contents:
            self._retry(partial(staging.make_staging_folder, folder=self._folder))
            self._move([], [(content, [(0, content.size)]) for content in contents])

    def _send(
        self, missing: list[StagingRecord], held: list[StagingStatus], found: Mapping[str, Content]
    ) -> None:
        """Send contents that are not staged yet."""
        by_content = {
            item.sha256: has for item, has in zip(missing, held, strict=True) if not has.staged
        }
        if not by_content:
            return
        contents = {sha256: found[sha256] for sha256 in by_content}
        large = [
            (content, self._missing(content, by_content[sha256]))
            for sha256, content in contents.items()
            if content.size > SMALL_BYTES
        ]
        self._move([one for one in contents.values() if one.size <= SMALL_BYTES], large)

    def _move(self, small: list[Content], large: list[tuple[Content, list[Range]]]) -> None:
        """Stage small contents in batches and the given ranges of large ones."""
        worker = self._retry(partial(self._open_first_worker, ranges=bool(large)))
        self._idle_workers.append(worker)
        self._meter.phase, self._meter.protocol = "send", worker.protocol
        files = [LargeFile(one, RangeQueue(gaps, self._tuning.lease)) for one, gaps in large]
        left = sum(one.size for one in small) + sum(file.queue.left for file in files)
        self._meter.total = max(self._meter.total, self._meter.moved + left)
        near = worker.connection.rtt < NEAR_RTT
        uploads = UploadQueue(small, files, NEAR_BATCH_BYTES if near else BATCH_BYTES)
        self._context = UploadContext(
            self._folder, uploads, self._meter.add, self._limiter, self._tuning
        )
        workers = initial_connections(worker.connection.rtt, left, self._tuning.max_connections)
        pool = WorkerPool(self._open_worker, self._meter, self._report, self._cancel, self._tuning)
        pool.run(
            WorkQueue(lambda: uploads.waiting, lambda: uploads.over),
            ConcurrencyController(workers, self._tuning),
        )

    def _open_first_worker(self, connection: TransferConnection, ranges: bool) -> UploadWorker:
        """A worker on the standing connection; `ranges`: for large files too."""
        worker = UploadWorker(connection)
        worker.keeps_connection = True
        if ranges:
            worker.open_session(self._tuning)
        return worker

    def _missing(self, content: Content, has: StagingStatus) -> list[Range]:
        """Blocks of a large file that are not staged, or not right."""
        if not has.blocks:
            return [(0, content.size)]
        block = self._tuning.block
        ours = block_digests(content.local, block)
        there = dict(has.blocks)
        return [
            (n * block, min(content.size, (n + 1) * block))
            for n, digest in enumerate(ours)
            if there.get(n) != digest
        ]

    def _open_worker(self) -> UploadWorker:
        if self._idle_workers:
            worker = self._idle_workers.popleft()
        else:
            connection = self._connect()
            try:
                worker = UploadWorker(connection)
                worker.open_session(self._tuning)
            except BaseException:
                connection.close()
                raise
        worker.context = self._context
        return worker

    def _retry(self, action: Callable[[TransferConnection], T]) -> T:
        """Ask over the standing connection; over a new one when that is lost."""

        def once() -> T:
            if self._connection is None:
                self._connection = self._connect()
            try:
                return action(self._connection)
            except Problem:
                self._connection.close()
                self._connection = None
                raise

        self._report(self._meter.progress())
        answer = retry_with_backoff(
            once, self._tuning, self._cancel, self._meter, limit=self._limit
        )
        self._limit = self._tuning.give_up
        return answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _drop_data(coming: Iterator[tuple[str, Content]]) -> Iterator[tuple[str, Content]]:
    """The same, with the bytes of only so many as may stay in memory."""
    size = 0
    for path, content in coming:
        size += len(content.data or b"")
        yield path, content if size <= CACHED_BYTES else content.without_data()


def _keep_absent(
    todo: list[StagingRecord], held: Iterable[StagingStatus]
) -> tuple[list[StagingRecord], list[StagingStatus]]:
    pairs = [(item, has) for item, has in zip(todo, held, strict=True) if not has.present]
    return [item for item, _ in pairs], [has for _, has in pairs]


def _check_path(path: str) -> None:
    """A key is a relative path of plain parts that the server's shell tools take as they are."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..", STAGING) for part in parts)
    if bad or "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        shown = "".join(c if c.isprintable() else "?" for c in path)
        raise Problem("remote.transfer.bad_path", ExitCode.CONFIG, path=shown)
