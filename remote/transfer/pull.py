"""One remote file brought home whole: resumed, verified, and renamed into place at the end."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote import local_names
from remote.transfer import agent_reading
from remote.transfer.agent_reading import RemoteDigest
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import Carrier, Connect, Link
from remote.transfer.crew import Crew, Work
from remote.transfer.dialled_ahead import DialledAhead
from remote.transfer.digest_question import DigestQuestion, expect_same
from remote.transfer.download_seats import CommandSeat, DownloadSeat, Feed, take_seat
from remote.transfer.journal import Identity
from remote.transfer.part_file import PartFile, disk_errors
from remote.transfer.patience import patiently
from remote.transfer.prefix_hash import PrefixHash, block_digests, file_digest
from remote.transfer.progress import Meter, Report
from remote.transfer.ramp import Ramp, first_guess, worth_carrying
from remote.transfer.ranges import Range, RangeQueue, RangeSet
from remote.transfer.tuning import Tuning

# A second repair finds nothing on a sound line; a third says that the disk or memory lies.
REPAIRS = 3
LIKELY = 32 << 20  # bytes of a file, before its size is known


@dataclass(frozen=True)
class Pulled:
    """A file that is here. `sha256` is hex, None when it was not computed; `seconds` in all.

    `resumed_bytes` were here before this call. `way`: "sftp", or "exec" without SFTP. `mtime` is
    the remote file's, Unix seconds; None for what was put together here.
    """

    path: Path
    bytes: int
    sha256: str | None
    seconds: float
    resumed_bytes: int
    way: str
    retries: int
    mtime: int | None = None


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
) -> Pulled:
    """Fetch `remote_path` into `dest_folder`; the file is there whole, or not at all.

    `bandwidth` caps bytes a second. `name` replaces the remote file name. Raises Problem; an
    interrupted pull leaves `NAME.part` and its journal, from which the next call continues.
    """
    tuning = tuning or Tuning()
    final = dest_folder / local_names.safe(name or PurePosixPath(remote_path).name)
    with disk_errors(dest_folder):
        dest_folder.mkdir(parents=True, exist_ok=True)
    part = PartFile(final, tuning.journal_every)
    one = _Pull(connect, remote_path, part, report, cancel, verify, tuning, Cap(bandwidth))
    try:
        return one.run(resume)
    finally:
        one.close()


class _Pull:
    """The state of one call of `pull`."""

    def __init__(
        self, connect: Connect, path: str, part: PartFile, report: Report,
        cancel: threading.Event, verify: bool, tuning: Tuning, cap: Cap,
    ) -> None:  # fmt: skip
        self._connect = connect
        self._path = path
        self._part = part
        self._report = report
        self._cancel = cancel
        self._verify = verify
        self._tuning = tuning
        self._cap = cap
        self._meter = Meter()
        self._ready: deque[DownloadSeat] = deque()
        self._carrier: Carrier | None = None
        self._first_link: Link | None = None
        self._ahead: DialledAhead[Link] | None = None
        self._identity = Identity(path, 0, 0)
        self._feed: Feed | None = None
        self._digest = DigestQuestion(connect, path, tuning, cancel, report, self._meter)
        self._hash: PrefixHash | None = None
        self._began = monotonic()

    def run(self, resume: bool) -> Pulled:
        first, self._identity = patiently(
            self._first_seat, self._tuning, self._cancel, self._meter,
            limit=self._tuning.first_contact,
        )  # fmt: skip
        identity = self._identity
        self._meter.total = identity.size
        self._meter.way = "exec" if isinstance(first, CommandSeat) else "sftp"
        if self._verify:
            self._digest.start(first.link, identity, self._part.remember)
            if resume and self._already_here(identity):
                whole = self._digest.answer().whole
                with disk_errors(self._part.final):
                    same = file_digest(self._part.final) == whole
                if same:
                    self._part.discard()
                    return self._done(whole, identity.size)
        kept, sha256 = self._kept(identity) if resume else (RangeSet(), None)
        self._part.begin(identity, kept, sha256)
        resumed = self._meter.held = kept.size
        gaps = self._part.missing()
        left = sum(end - start for start, end in gaps)
        carried = len(gaps) == 1 and self._cap.open and worth_carrying(first.rtt, left)
        self._carrier = first.link.carrier() if carried else None
        queue = RangeQueue(gaps, left if self._carrier else self._tuning.lease)
        sink = _Counted(self._part, self._meter)
        self._feed = Feed(self._path, queue, sink, self._cap, self._tuning)
        if self._verify:
            self._hash = PrefixHash(self._part.path, self._part.prefix)
        self._receive(queue, first.rtt)
        whole_here = None
        if self._verify:
            whole_here = self._verified(queue, first.rtt)
        else:
            self._unchanged()
        self._part.finish()
        return self._done(whole_here, resumed)

    def _first_seat(self) -> tuple[DownloadSeat, Identity]:
        link = self._connect()
        try:
            lanes = first_guess(link.rtt, LIKELY, self._tuning.most_connections)
            self._ahead = DialledAhead(self._connect, lanes - 1)
            seat = take_seat(link, self._path, self._tuning)
            identity = seat.identity or seat.look()
        except BaseException:
            if self._ahead is not None:
                self._ahead.close()
            link.close()
            raise
        # The digest runs on this link too and must not end with the seat.
        seat.keeps_link = True
        self._first_link = link
        self._ready.append(seat)
        return seat, identity

    def _open_seat(self) -> DownloadSeat:
        """A connection for the crew, with the file open; Problem when it is another file now."""
        carrier, self._carrier = self._carrier, None  # one trial: then the connections we know
        if carrier is not None and self._first_link is not None:
            whole = self._identity.size
            seat: DownloadSeat = CommandSeat(
                self._first_link, self._path, self._tuning, carrier, whole
            )
        elif self._ready:
            seat = self._ready.popleft()
        else:
            link = self._ahead.connect() if self._ahead is not None else self._connect()
            try:
                seat = take_seat(link, self._path, self._tuning)
                expect_same(self._identity, seat.identity or seat.look())
            except BaseException:
                link.close()
                raise
        seat.feed = self._feed
        return seat

    def _already_here(self, identity: Identity) -> bool:
        final = self._part.final
        return final.is_file() and final.stat().st_size == identity.size

    def _kept(self, identity: Identity) -> tuple[RangeSet, str | None]:
        """Ranges of an earlier pull that still hold, and the SHA-256 it knew."""
        record = self._part.earlier()
        if record is None or record.identity.size != identity.size:
            return RangeSet(), None
        if record.identity == identity:
            return record.ranges, record.sha256
        # Another path or time, yet maybe the same bytes: a voice packed again, a copied file.
        if self._verify and record.sha256 and self._digest.answer().whole == record.sha256:
            return record.ranges, record.sha256
        return RangeSet(), None

    def _receive(self, queue: RangeQueue, rtt: float) -> None:
        self._meter.phase = "receive"
        if queue.left:
            lanes = first_guess(rtt, queue.left, self._tuning.most_connections)
            crew = Crew(self._open_seat, self._meter, self._report, self._cancel, self._tuning)
            work = Work(lambda: queue.waiting, lambda: queue.left == 0)
            crew.run(work, Ramp(lanes, self._tuning))

    def _verified(self, queue: RangeQueue, rtt: float) -> str:
        """Compare both sides; fetch blocks that differ again. Returns the SHA-256."""
        assert self._hash is not None
        for _ in range(REPAIRS):
            self._meter.phase = "verify"
            digest = self._digest.answer()
            with disk_errors(self._part.path):
                ours = self._hash.result()
            if ours == digest.whole:
                return ours
            digest = self._digest.again(self._tuning.block)
            bad = self._bad_blocks(digest)
            self._part.spoil(bad, digest.whole)
            self._meter.held -= sum(end - start for start, end in bad)
            self._hash = PrefixHash(self._part.path, self._part.prefix)
            queue.add(bad)
            self._receive(queue, rtt)
        raise Problem("remote.transfer.mismatch", ExitCode.DATA, path=self._path)

    def _unchanged(self) -> None:
        """Without a digest, at least look whether it is still the same file."""

        def look() -> Identity:
            link, self._first_link = self._first_link or self._connect(), None
            try:
                return agent_reading.identity(link, self._path)
            finally:
                link.close()

        limit = self._tuning.give_up
        now = patiently(look, self._tuning, self._cancel, self._meter, limit=limit)
        expect_same(self._identity, now)

    def _bad_blocks(self, digest: RemoteDigest) -> list[Range]:
        with disk_errors(self._part.path):
            ours = block_digests(self._part.path, self._tuning.block)
        block, size = self._tuning.block, self._identity.size
        pairs = zip(ours, digest.blocks, strict=True)
        return [(n * block, min(size, (n + 1) * block)) for n, (a, b) in enumerate(pairs) if a != b]

    def _done(self, sha256: str | None, resumed: int) -> Pulled:
        self._meter.held, self._meter.phase = self._identity.size, "done"
        self._report(self._meter.progress())
        return Pulled(
            self._part.final, self._identity.size, sha256, monotonic() - self._began, resumed,
            self._meter.way, self._meter.retries, self._identity.mtime,
        )  # fmt: skip

    def close(self) -> None:
        """End every thread and connection; keep what was received."""
        if self._ahead is not None:
            self._ahead.close()
        if self._first_link is not None:
            self._first_link.close()
        if self._hash is not None:
            self._hash.stop()
        self._part.close()


class _Counted:
    """The part file as a sink that also moves the meter."""

    def __init__(self, part: PartFile, meter: Meter) -> None:
        self.write = part.write
        self._part = part
        self._meter = meter

    def finished(self, start: int, end: int) -> None:
        self._part.finished(start, end)
        self._meter.add(end - start)
