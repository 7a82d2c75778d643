"""Downloads one remote file whole: resumed, verified, and renamed into place at the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import monotonic

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.agent.remote_files import RemoteDigest
from sovdeck.remote.transfer.core.backoff import retry_with_backoff
from sovdeck.remote.transfer.core.concurrency import ConcurrencyController, initial_connections
from sovdeck.remote.transfer.core.hashing import PrefixHash, block_digests
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.part_journal import FileIdentity
from sovdeck.remote.transfer.core.progress import Report, TransferMeter
from sovdeck.remote.transfer.core.ranges import Range, RangeQueue, RangeSet
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool, WorkQueue
from sovdeck.remote.transfer.download.part_file import PartFile, disk_errors
from sovdeck.remote.transfer.download.remote_digest import RemoteDigestRequest, expect_same
from sovdeck.remote.transfer.download.workers import (
    DownloadContext,
    DownloadWorker,
    ExecWorker,
    open_worker,
)

# A second repair finds nothing on a sound line; a third says that the disk or memory lies.
MAX_REPAIRS = 3
# No file of a voice is larger; a file without bytes behind its size would fill a disk with zeros.
MAX_FILE_BYTES = 32 << 30


@dataclass(frozen=True)
class PullResult:
    """A file that is here. `sha256` is hex, None when it was not computed; `seconds` in all.

    `resumed_bytes` were here before this call. `protocol`: "sftp", or "exec" without SFTP.
    `mtime` is the remote file's, Unix seconds.
    """

    path: Path
    bytes: int
    sha256: str | None
    seconds: float
    resumed_bytes: int
    protocol: str
    retries: int
    mtime: int


def pull(
    connect: Connect,
    remote_path: str,
    dest_folder: Path,
    *,
    report: Report,
    cancel: threading.Event,
    verify: bool = True,
    resume: bool = True,
    bandwidth: float | None = None,
    name: str | None = None,
    tuning: Tuning | None = None,
    accept: Callable[[Path], None] = lambda path: None,
) -> PullResult:
    """Fetch `remote_path` into `dest_folder`; the file is there whole, or not at all.

    `bandwidth` caps bytes a second. `name` replaces the remote file name. `accept` looks at the
    whole file before it takes its name; when it raises Problem, the file goes and an earlier one
    of that name stays. A file that was here already is not looked at. Raises Problem; an
    interrupted pull leaves `NAME.part` and its journal, from which the next call continues.
    """
    tuning = tuning or Tuning()
    final = dest_folder / filenames.safe_name(name or PurePosixPath(remote_path).name)
    with disk_errors(dest_folder):
        dest_folder.mkdir(parents=True, exist_ok=True)
    part = PartFile(final, tuning.journal_every)
    one = _Pull(connect, remote_path, part, report, cancel, verify, tuning, RateLimiter(bandwidth))
    try:
        return one.run(resume, accept)
    finally:
        one.close()


class _Pull:
    """The state of one call of `pull`."""

    def __init__(
        self,
        connect: Connect,
        path: str,
        part: PartFile,
        report: Report,
        cancel: threading.Event,
        verify: bool,
        tuning: Tuning,
        limiter: RateLimiter,
    ) -> None:
        self._connect = connect
        self._path = path
        self._part = part
        self._report = report
        self._cancel = cancel
        self._verify = verify
        self._tuning = tuning
        self._limiter = limiter
        self._meter = TransferMeter()
        self._idle_workers: deque[DownloadWorker] = deque()
        self._first_connection: TransferConnection | None = None
        self._identity = FileIdentity(path, 0, 0)
        self._context: DownloadContext | None = None
        self._digest = RemoteDigestRequest(connect, path, tuning, cancel, report, self._meter)
        self._hash: PrefixHash | None = None
        self._began = monotonic()

    def run(self, resume: bool, accept: Callable[[Path], None]) -> PullResult:
        first, self._identity = retry_with_backoff(
            self._open_first_worker,
            self._tuning,
            self._cancel,
            self._meter,
            limit=self._tuning.first_contact,
        )
        identity = self._identity
        if identity.size > MAX_FILE_BYTES:
            size, most = format_bytes(identity.size), format_bytes(MAX_FILE_BYTES)
            facts = {"path": self._path, "size": size, "most": most}
            raise Problem("remote.transfer.too_large", ExitCode.DATA, **facts)
        self._meter.total = identity.size
        self._meter.protocol = "exec" if isinstance(first, ExecWorker) else "sftp"
        if self._verify:
            self._digest.start(first.connection, identity, self._part.record_sha256)
            if resume and self._already_here(identity):
                whole = self._digest.wait().whole
                with disk_errors(self._part.final):
                    same = file_sha256(self._part.final) == whole
                if same:
                    self._part.discard()
                    return self._result(whole, identity.size)
        kept, sha256 = self._resumable(identity) if resume else (RangeSet(), None)
        self._part.begin(identity, kept, sha256)
        resumed = self._meter.already_there = kept.size
        queue = RangeQueue(self._part.missing(), self._tuning.lease)
        sink = _MeteredSink(self._part, self._meter)
        self._context = DownloadContext(self._path, queue, sink, self._limiter, self._tuning)
        if self._verify:
            self._hash = PrefixHash(self._part.path, self._part.prefix)
        self._receive(queue, first.rtt)
        whole_here = None
        if self._verify:
            whole_here = self._verify_and_repair(queue, first.rtt)
        else:
            self._check_unchanged()
        try:
            accept(self._part.path)
        except Problem as problem:
            if problem.exit_code is not ExitCode.INTERRUPTED:
                self._part.discard()
            raise
        self._part.finish()
        return self._result(whole_here, resumed)

    def _open_first_worker(self) -> tuple[DownloadWorker, FileIdentity]:
        connection = self._connect()
        try:
            worker = open_worker(connection, self._path, self._tuning)
            identity = worker.identity or worker.identify()
        except BaseException:
            connection.close()
            raise
        # The digest runs on this connection too and must not end with the worker.
        worker.keeps_connection = True
        self._first_connection = connection
        self._idle_workers.append(worker)
        return worker, identity

    def _open_worker(self) -> DownloadWorker:
        """Open a connection with the file open; Problem when it is another file now."""
        if self._idle_workers:
            worker = self._idle_workers.popleft()
        else:
            connection = self._connect()
            try:
                worker = open_worker(connection, self._path, self._tuning)
                expect_same(self._identity, worker.identity or worker.identify())
            except BaseException:
                connection.close()
                raise
        worker.context = self._context
        return worker

    def _already_here(self, identity: FileIdentity) -> bool:
        final = self._part.final
        return final.is_file() and final.stat().st_size == identity.size

    def _resumable(self, identity: FileIdentity) -> tuple[RangeSet, str | None]:
        """Ranges of an earlier pull that still hold, and the SHA-256 it knew."""
        record = self._part.read_earlier()
        if record is None or record.identity.size != identity.size:
            return RangeSet(), None
        if record.identity == identity:
            return record.ranges, record.sha256
        # Another path or time, yet maybe the same bytes: a voice packed again, a copied file.
        if self._verify and record.sha256 and self._digest.wait().whole == record.sha256:
            return record.ranges, record.sha256
        return RangeSet(), None

    def _receive(self, queue: RangeQueue, rtt: float) -> None:
        self._meter.phase = "receive"
        if queue.left:
            workers = initial_connections(rtt, queue.left, self._tuning.max_connections)
            pool = WorkerPool(
                self._open_worker, self._meter, self._report, self._cancel, self._tuning
            )
            work = WorkQueue(lambda: queue.waiting, lambda: queue.left == 0)
            pool.run(work, ConcurrencyController(workers, self._tuning))

    def _verify_and_repair(self, queue: RangeQueue, rtt: float) -> str:
        """Compare both sides; fetch blocks that differ again. Returns the SHA-256."""
        assert self._hash is not None
        for _ in range(MAX_REPAIRS):
            self._meter.phase = "verify"
            digest = self._digest.wait()
            with disk_errors(self._part.path):
                ours = self._hash.result()
            if ours == digest.whole:
                return ours
            digest = self._digest.request_again(self._tuning.block)
            bad = self._bad_blocks(digest)
            self._part.invalidate(bad, digest.whole)
            self._meter.already_there -= sum(end - start for start, end in bad)
            self._hash = PrefixHash(self._part.path, self._part.prefix)
            queue.add(bad)
            self._receive(queue, rtt)
        raise Problem("remote.transfer.mismatch", ExitCode.DATA, path=self._path)

    def _check_unchanged(self) -> None:
        """Without a digest, at least look whether it is still the same file."""

        def identify() -> FileIdentity:
            connection, self._first_connection = self._first_connection or self._connect(), None
            try:
                return remote_files.fetch_identity(connection, self._path)
            finally:
                connection.close()

        limit = self._tuning.give_up
        now = retry_with_backoff(identify, self._tuning, self._cancel, self._meter, limit=limit)
        expect_same(self._identity, now)

    def _bad_blocks(self, digest: RemoteDigest) -> list[Range]:
        with disk_errors(self._part.path):
            ours = block_digests(self._part.path, self._tuning.block)
        block, size = self._tuning.block, self._identity.size
        pairs = zip(ours, digest.blocks, strict=True)
        return [(n * block, min(size, (n + 1) * block)) for n, (a, b) in enumerate(pairs) if a != b]

    def _result(self, sha256: str | None, resumed: int) -> PullResult:
        self._meter.already_there, self._meter.phase = self._identity.size, "done"
        self._report(self._meter.progress())
        return PullResult(
            self._part.final,
            self._identity.size,
            sha256,
            monotonic() - self._began,
            resumed,
            self._meter.protocol,
            self._meter.retries,
            self._identity.mtime,
        )

    def close(self) -> None:
        """End every thread and connection; keep what was received."""
        if self._first_connection is not None:
            self._first_connection.close()
        if self._hash is not None:
            self._hash.stop()
        self._part.close()


class _MeteredSink:
    """The part file as a sink that also moves the meter."""

    def __init__(self, part: PartFile, meter: TransferMeter) -> None:
        self.write = part.write
        self._part = part
        self._meter = meter

    def finished(self, start: int, end: int) -> None:
        self._part.finished(start, end)
        self._meter.add(end - start)
