"""Downloads one remote file whole: resumed, verified, and renamed into place at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from time import monotonic

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.agent.remote_files import RemoteDigest
from sovdeck.remote.transfer.core.context import TransferContext
from sovdeck.remote.transfer.core.hashing import PrefixHash, differing_blocks
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.transfer.core.progress import Report
from sovdeck.remote.transfer.core.ranges import Range, RangeQueue, RangeSet
from sovdeck.remote.transfer.core.tuning import Tuning
from sovdeck.remote.transfer.core.worker_pool import WorkerPool, WorkerState
from sovdeck.remote.transfer.download.part_file import PartFile, disk_errors
from sovdeck.remote.transfer.download.workers import DownloadWorker

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
    size: int = 0,
    tuning: Tuning = Tuning(),  # noqa: B008 - frozen
    accept: Callable[[Path], None] = lambda path: None,
) -> PullResult:
    """Fetch `remote_path` into `dest_folder`; the file is there whole, or not at all.

    `bandwidth` caps bytes a second. `name` replaces the remote file name. `size`: the bytes to
    expect, where they are known: a far server is dialled for them at once. `accept` looks at the
    whole file before it takes its name; when it raises Problem, the file goes and an earlier one
    of that name stays. A file that was here already is not looked at. Raises Problem; an
    interrupted pull leaves `NAME.part` and its journal, from which the next call continues.
    """
    final = dest_folder / filenames.safe_name(name or PurePosixPath(remote_path).name)
    with TransferContext(connect, report, cancel, tuning, bandwidth) as transfer:
        return pull_over(transfer, remote_path, final, verify, resume, size, accept)


def pull_over(
    transfer: TransferContext,
    remote_path: str,
    final: Path,
    verify: bool = True,
    resume: bool = True,
    size: int = 0,
    accept: Callable[[Path], None] = lambda path: None,
) -> PullResult:
    """Fetch `remote_path` as the file `final`, as `pull` does, over the connections of a transfer.

    Its meter counts this file alone.
    """
    with disk_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
    with closing(PartFile(final)) as part:
        # On a far line a log-in takes as long as opening and asking for the file.
        if not (final.exists() or part.path.exists()):
            transfer.dial_ahead(size)
        return _Pull(transfer, remote_path, part, verify).run(resume, accept)


class _Pull:
    """The state of one call of `pull`."""

    def __init__(self, transfer: TransferContext, path: str, part: PartFile, verify: bool) -> None:
        self._transfer = transfer
        self._path = path
        self._part = part
        self._verify = verify
        self._identity = RemoteFile(path, 0, 0)
        self._answer = Future[RemoteDigest]()
        self._digest = ""
        self._began = monotonic()

    def run(self, resume: bool, accept: Callable[[Path], None]) -> PullResult:
        # The digest runs on this connection too and must not end with the worker.
        first = self._transfer.ask(
            lambda connection: DownloadWorker(connection, self._path, keeps_connection=True)
        )
        identity = self._identity = first.identity
        if identity.size > MAX_FILE_BYTES:
            size, most = format_bytes(identity.size), format_bytes(MAX_FILE_BYTES)
            facts = {"path": self._path, "size": size, "most": most}
            raise Problem("remote.transfer.too_large", ExitCode.DATA, **facts)
        meter = self._transfer.meter
        meter.total, meter.protocol = identity.size, first.protocol
        if self._verify:
            self._answer = self._transfer.ask_beside(self._fetch_digest)
            if resume and (whole := self._already_here()):
                self._part.discard()
                return self._result(whole, identity.size)
        kept, sha256 = self._resumable() if resume else (RangeSet(), None)
        self._part.begin(identity, kept, sha256)
        resumed = meter.already_there = kept.size
        whole_here = self._receive_whole(first)
        try:
            accept(self._part.path)
        except Problem as problem:
            if problem.exit_code is not ExitCode.INTERRUPTED:
                self._part.discard()
            raise
        self._part.finish()
        return self._result(whole_here, resumed)

    def _fetch_digest(self, connection: TransferConnection, block: int = 0) -> RemoteDigest:
        """The server's SHA-256 of the file, with those of every `block` bytes when it is not 0."""
        size = self._identity.size
        digest = remote_files.fetch_digest(connection, self._path, size, block)
        self._expect_same(digest.identity)
        self._part.record_sha256(digest.whole)
        self._digest = digest.whole
        return digest

    def _await_digest(self) -> str:
        if not self._digest:
            self._transfer.await_answer(self._answer, self._fetch_digest)
        return self._digest

    def _expect_same(self, now: RemoteFile) -> None:
        """Problem `changed` when the remote file is not the one it was."""
        if now != self._identity:
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=self._path)

    def _already_here(self) -> str | None:
        """The SHA-256, when the very file stands here."""
        final = self._part.final
        if not final.is_file() or final.stat().st_size != self._identity.size:
            return None
        whole = self._await_digest()
        with disk_errors(final):
            return whole if file_sha256(final) == whole else None

    def _resumable(self) -> tuple[RangeSet, str | None]:
        """Ranges of an earlier pull that still hold, and the SHA-256 it knew."""
        record = self._part.read_earlier()
        if record is None or record.identity.size != self._identity.size:
            return RangeSet(), None
        # Another path or time, yet maybe the same bytes: a voice packed again, a copied file.
        if record.identity == self._identity or (
            self._verify and record.sha256 and self._await_digest() == record.sha256
        ):
            return record.ranges, record.sha256
        return RangeSet(), None

    def _receive_whole(self, first: DownloadWorker) -> str | None:
        """Receive what is missing, compare both sides, fetch blocks that differ again.

        Returns the SHA-256; None where that is not wanted.
        """
        part, block, rtt = self._part, self._transfer.tuning.block, first.rtt
        if not self._verify:
            self._receive(part.missing(), rtt, first)
            # At least look whether it is still the same file.
            look = partial(remote_files.fetch_identity, path=self._path)
            self._expect_same(self._transfer.ask(look))
            return None
        for turn in range(MAX_REPAIRS):
            with PrefixHash(part.path, part.prefix) as prefix_hash:
                self._receive(part.missing(), rtt, None if turn else first)
                self._transfer.meter.phase = "verify"
                theirs = self._await_digest()
                with disk_errors(part.path):
                    if prefix_hash.result() == theirs:
                        return theirs
            digest = self._transfer.ask(partial(self._fetch_digest, block=block))
            with disk_errors(part.path):
                bad = differing_blocks(part.path, block, dict(enumerate(digest.blocks)))
            part.invalidate(bad, digest.whole)
            self._transfer.meter.already_there -= sum(end - start for start, end in bad)
        raise Problem("remote.transfer.mismatch", ExitCode.DATA, path=self._path)

    def _receive(self, ranges: list[Range], rtt: float, first: DownloadWorker | None) -> None:
        queue = RangeQueue(ranges)

        def open_file(connection: TransferConnection) -> DownloadWorker:
            worker = DownloadWorker(connection, self._path)
            self._expect_same(worker.identity)
            return worker

        def receive(worker: DownloadWorker, state: WorkerState) -> None:
            worker.receive(queue, self._part.write, self._moved, self._transfer.limiter, state)

        self._transfer.meter.phase = "receive"
        WorkerPool(self._transfer, queue, open_file, receive, first).run(rtt)

    def _moved(self, start: int, end: int) -> None:
        self._part.finished(start, end)
        self._transfer.meter.add(end - start)

    def _result(self, sha256: str | None, resumed: int) -> PullResult:
        meter = self._transfer.meter
        meter.already_there, meter.phase = self._identity.size, "done"
        self._transfer.report()
        return PullResult(
            self._part.final,
            self._identity.size,
            sha256,
            monotonic() - self._began,
            resumed,
            meter.protocol,
            meter.retries,
            self._identity.mtime,
        )
