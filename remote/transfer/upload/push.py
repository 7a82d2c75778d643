"""Uploads local files to a folder of the server: only what is missing there goes up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent import staging
from sovdeck.remote.transfer.agent.staging import STAGING, StagingRecord, StagingStatus
from sovdeck.remote.transfer.core.batch_queue import BatchQueue, fair_batch
from sovdeck.remote.transfer.core.concurrency import NEAR_RTT, connections_for
from sovdeck.remote.transfer.core.context import TransferContext, wait_for
from sovdeck.remote.transfer.core.hashing import differing_blocks
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.progress import Report
from sovdeck.remote.transfer.core.ranges import Range, RangeQueue
from sovdeck.remote.transfer.core.tuning import STREAM_BYTES, Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool
from sovdeck.remote.transfer.sftp.worker import TransferWorker
from sovdeck.remote.transfer.upload.local_files import file_sizes, hash_ahead, provisional_name
from sovdeck.remote.transfer.upload.queue import Content, LargeFile, UploadQueue
from sovdeck.remote.transfer.upload.workers import Sender

MAX_REPAIRS = 3
# From here on a file of which the server has nothing is sent while it is hashed.
UNHASHED_BYTES = 32 << 20
# One stream of small files: at most this is sent again when the line breaks under it.
BATCH_BYTES, NEAR_BATCH_BYTES = 32 << 20, 128 << 20
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
    tuning: Tuning = Tuning(),  # noqa: B008 - frozen
) -> PushResult:
    """Make every `remote_folder/KEY` hold the content of its local file; deletes nothing there.

    Keys are relative paths with forward slashes. A file appears under its name only whole and
    verified on the server. Raises Problem; what arrived stays staged, and the next call goes on.
    """
    for path in local_files:
        _check_path(path)
    with TransferContext(connect, report, cancel, tuning, bandwidth) as transfer:
        return _Push(transfer, remote_folder).run(local_files)


class _Push:
    """The state of one call of `push`."""

    def __init__(self, transfer: TransferContext, folder: str) -> None:
        self._transfer = transfer
        self._folder = folder
        self._meter = transfer.meter
        self._tuning = transfer.tuning
        self._opening: Future[TransferWorker] | None = None  # the first worker, where it comes

    def run(self, local_files: Mapping[str, Path]) -> PushResult:
        began = monotonic()
        self._meter.phase = "hash"
        wanted, found, staged = self._scan(local_files)
        todo, unknown, kept = wanted, [item for item in wanted if item.path not in staged], 0
        for turn in range(MAX_REPAIRS + 1):
            if unknown:
                self._meter.phase = "compare"
                ask = partial(staging.query_staged, wanted=unknown, block=self._tuning.block)
                statuses = list(zip(unknown, self._ask(ask), strict=True))
                present = {item.path for item, has in statuses if has.present}
                todo = [item for item in todo if item.path not in present]
                lacking = {
                    item.sha256: has for item, has in statuses if not has.present | has.staged
                }
                self._send(lacking, found)
            if turn == 0:
                kept = len(wanted) - len(todo)
            if todo:
                self._meter.phase = "verify"
                bad = self._ask(partial(staging.commit_staged, wanted=todo))
                todo = unknown = [item for number, item in enumerate(todo) if number in bad]
            if not todo:
                self._meter.phase, self._meter.already_there = "done", self._meter.total
                self._transfer.report()
                return PushResult(
                    len(wanted) - kept,
                    self._meter.moved,
                    kept,
                    monotonic() - began,
                    self._meter.protocol,
                    self._meter.retries,
                )
        raise Problem("remote.transfer.mismatch_up", ExitCode.DATA, path=todo[0].path)

    def _ask(self, question: Callable[..., T]) -> T:
        """The server's answer about the folder."""
        self._transfer.report()
        return self._transfer.ask(lambda connection: question(connection, self._folder))

    def _scan(
        self, local_files: Mapping[str, Path]
    ) -> tuple[list[StagingRecord], dict[str, Content], set[str]]:
        """What is here, by path and by SHA-256, and the paths of what is staged already.

        Large files go while they are hashed.
        """
        sized = file_sizes(local_files)
        large = {path: size for path, size in sized.items() if size >= UNHASHED_BYTES}
        small = {path: size for path, size in sized.items() if size < UNHASHED_BYTES}
        cancel, found = self._transfer.cancel, dict[str, Content]()
        with hash_ahead(local_files, small, cancel) as coming:
            if not large:
                self._ask(self._prestart)
            found.update(_drop_data(coming))
        names = {path: provisional_name(local_files[path], path, large[path]) for path in large}
        staged = set[str]()
        if large:
            with hash_ahead(local_files, large, cancel) as coming:
                staged = self._send_unhashed(local_files, large, names)
                found.update(coming)
        wanted = [
            StagingRecord(path, found[path].size, found[path].sha256, names.get(path, ""))
            for path in sized
        ]
        return wanted, {content.sha256: content for content in found.values()}, staged

    def _prestart(self, connection: TransferConnection, folder: str) -> None:
        """On a near line, what takes longest is the start of the programs there."""
        if connection.rtt < NEAR_RTT:
            for argv in staging.push_commands(folder, self._tuning.block):
                connection.prestart(argv)

    def _send_unhashed(
        self, local_files: Mapping[str, Path], sized: Mapping[str, int], names: Mapping[str, str]
    ) -> set[str]:
        """Stage files of which the server has nothing under `names`, before their SHA-256.

        Returns their paths. They are hashed there while they come.
        """
        self._transfer.dial_ahead(sum(sized.values()))
        self._opening = self._transfer.ask_beside(partial(TransferWorker, keeps_connection=True))
        records = [StagingRecord(path, sized[path], names[path]) for path in sized]
        begun = self._ask(partial(staging.begin_contents, wanted=records))
        fresh = [record for number, record in enumerate(records) if number in begun]
        if fresh:
            contents = [Content(local_files[one.path], one.size, one.sha256) for one in fresh]
            files = [LargeFile(one, RangeQueue([(0, one.size)])) for one in contents]
            with self._followed_there(files):
                self._move([], files)
        return {one.path for one in fresh}

    @contextmanager
    def _followed_there(self, files: list[LargeFile]) -> Iterator[None]:
        """Tell what will put the files in their place how far they have come: it hashes them."""
        over = threading.Event()

        def tell(connection: TransferConnection) -> None:
            stream = connection.prestart(staging.commit_command(self._folder))
            told, last = {file.content.sha256: 0 for file in files}, False
            while stream is not None and not last:
                last = over.wait(self._tuning.tick)
                lines = b""
                for file in files:
                    name, end = file.content.sha256, file.queue.moved_before(file.content.size)
                    if end > told[name]:
                        told[name], lines = end, lines + staging.progress_line(name, end)
                stream.write(lines)

        telling = self._transfer.ask_beside(tell)
        try:
            yield
        finally:
            over.set()
        try:
            wait_for(telling, self._transfer.cancel, self._tuning.tick, self._transfer.report)
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERRUPTED:
                raise
            # What puts them in their place is started anew then, and reads them itself.
            logging.getLogger(__name__).debug("not followed: %s", problem.key)

    def _send(self, lacking: Mapping[str, StagingStatus], found: Mapping[str, Content]) -> None:
        """Send the contents, by SHA-256, that are not staged yet."""
        contents = [found[sha256] for sha256 in lacking]
        small = [one for one in contents if one.size <= STREAM_BYTES]
        large = [
            LargeFile(one, RangeQueue(self._missing(one, lacking[one.sha256])))
            for one in contents
            if one.size > STREAM_BYTES
        ]
        if contents:
            self._move(small, large)

    def _move(self, small: list[Content], large: list[LargeFile]) -> None:
        """Stage small contents in batches and what is missing of large ones."""
        make = partial(TransferWorker, sftp=bool(large))
        first = partial(make, keeps_connection=True)
        opening, self._opening = self._opening, None
        worker = (
            self._transfer.await_answer(opening, first) if opening else self._transfer.ask(first)
        )
        rtt = worker.connection.rtt
        most = NEAR_BATCH_BYTES if rtt < NEAR_RTT else BATCH_BYTES
        size = sum(one.size for one in small)
        connections = connections_for(rtt, size, self._tuning.connections)
        batches = BatchQueue(small, fair_batch(size, connections, most))
        queue = UploadQueue(batches, large)
        self._meter.phase, self._meter.protocol = "send", worker.protocol
        self._meter.total = max(self._meter.total, self._meter.moved + queue.left)
        work = Sender(self._transfer, self._folder, queue).work
        WorkerPool(self._transfer, queue, make, work, worker).run(rtt)

    def _missing(self, content: Content, has: StagingStatus) -> list[Range]:
        """Blocks of a large file that are not staged, or not right."""
        if not has.blocks:
            return [(0, content.size)]
        return differing_blocks(content.local, self._tuning.block, dict(has.blocks))


def _drop_data(coming: Iterator[tuple[str, Content]]) -> Iterator[tuple[str, Content]]:
    """The same, with the bytes of only so many as may stay in memory."""
    size = 0
    for path, content in coming:
        size += len(content.data or b"")
        yield path, content if size <= CACHED_BYTES else replace(content, data=None)


def _check_path(path: str) -> None:
    """A key is a relative path of plain parts that the server's shell tools take as they are."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..", STAGING) for part in parts)
    if bad or "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        shown = "".join(c if c.isprintable() else "?" for c in path)
        raise Problem("remote.transfer.bad_path", ExitCode.CONFIG, path=shown)
