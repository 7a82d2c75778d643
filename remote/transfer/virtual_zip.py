"""`NAME.zip` put together here from the files on the server, without an archive there.

Byte for byte the archive that `engine pack` would have written. The files come while the engine
still reads them for their sums, so this takes about as long as fetching a finished archive, and
the server's disk needs no room for one.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import TypeVar

from engine.contract.problem import ExitCode, Problem
from remote import local_names
from remote.transfer import agent_reading
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import Connect
from remote.transfer.crew import Crew, Work
from remote.transfer.download_seats import Feed
from remote.transfer.journal import Identity
from remote.transfer.outline import Outline, Plan
from remote.transfer.pack_hash import PackHash
from remote.transfer.pack_seat import PackSeat, Piece, Shifted
from remote.transfer.part_file import PartFile, disk_errors
from remote.transfer.patience import awaited, patiently
from remote.transfer.progress import Meter, Report
from remote.transfer.pull import REPAIRS, Pulled
from remote.transfer.ramp import Ramp, first_guess, worth_carrying
from remote.transfer.ranges import RangeQueue, RangeSet
from remote.transfer.stored_zip import StoredZip
from remote.transfer.tuning import Tuning

T = TypeVar("T")


def pull_virtual(
    connect: Connect,
    plan: Plan,
    outline: Callable[[], Outline],
    work_folder: str,
    dest_folder: Path,
    *,
    report: Report,
    cancel: threading.Event,
    resume: bool = True,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> Pulled:
    """Fetch the members of `plan` straight into a local stored zip; whole or absent.

    `outline` is called in a thread and may take as long as the server's hashing; every member is
    compared with its SHA-256 there. The archive's own nobody has computed yet: `sha256` is None.
    Raises Problem; what came is kept and the next call goes on.
    """
    tuning = tuning or Tuning()
    with disk_errors(dest_folder):
        dest_folder.mkdir(parents=True, exist_ok=True)
    part = PartFile(dest_folder / local_names.safe(plan.name), tuning.journal_every)
    one = _VirtualPull(connect, plan, work_folder, part, report, cancel, tuning, bandwidth)
    try:
        return one.run(outline, resume)
    finally:
        one.close()


class _VirtualPull:
    """The state of one call of `pull_virtual`."""

    def __init__(
        self, connect: Connect, plan: Plan, work_folder: str, part: PartFile,
        report: Report, cancel: threading.Event, tuning: Tuning, bandwidth: float | None,
    ) -> None:  # fmt: skip
        self._connect = connect
        self._plan = plan
        self._work = work_folder
        self._part = part
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._cap = Cap(bandwidth)
        self._meter = Meter()
        self._outline: Future[Outline] = Future()
        self._zip = StoredZip([(member.name, member.size) for member in plan.members])
        self._ready: deque[PackSeat] = deque()
        self._pieces: tuple[Piece, ...] = ()
        self._hash: PackHash | None = None

    def run(self, outline: Callable[[], Outline], resume: bool) -> Pulled:
        began = monotonic()
        threading.Thread(
            target=self._ask, args=(outline,), name="pack-outline", daemon=True
        ).start()
        # The plan's own mark stands where a file has its time: files written anew, other number.
        wanted = sum(member.size for member in self._plan.members)
        if resume and self._already_here():
            self._part.discard()
            self._meter.total = wanted
            return self._done(wanted, began)
        identity = Identity(f"plan of {self._plan.name}", self._zip.directory_at, self._plan.mark)
        self._part.begin(identity, self._kept(identity) if resume else RangeSet(), None)
        self._pieces = tuple(self._make_pieces())
        left = self._left()
        self._meter.total, self._meter.held = wanted, wanted - left
        first = self._again(self._first_seat, self._tuning.first_contact)
        self._meter.way, rtt = first.way, first.link.rtt
        self._hash = PackHash(self._part.path, self._part.reach, self._outline)
        self._receive(rtt)
        self._verify(rtt)
        for at, data in _frame(self._outline.result()):
            self._part.write(at, memoryview(data))
        self._part.finish()
        return self._done(wanted - left, began)

    def _done(self, resumed: int, began: float) -> Pulled:
        self._meter.held, self._meter.phase = self._meter.total, "done"
        self._report(self._meter.progress())
        final = self._part.final
        return Pulled(
            final, final.stat().st_size, None, monotonic() - began, resumed, self._meter.way,
            self._meter.retries,
        )  # fmt: skip

    def _already_here(self) -> bool:
        """Whether the archive that stands here is what the server would make."""
        final = self._part.final
        if not final.is_file():
            return False
        outline = self._awaited(self._outline)
        size = StoredZip([(member.name, member.size) for member in outline.members]).size
        if final.stat().st_size != size:
            return False
        self._hash = PackHash(final, lambda at: size, self._outline)
        with disk_errors(final), final.open("rb") as file:
            for at, data in _frame(outline):
                file.seek(at)
                if file.read(len(data)) != data:
                    return False
            return not self._awaited(self._hash.bad)

    def _ask(self, outline: Callable[[], Outline]) -> None:
        try:
            found = outline()
            if not found.fits(self._plan):
                raise Problem("remote.transfer.changed", ExitCode.DATA, path=self._plan.name)
            self._outline.set_result(found)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._outline.set_exception(error)

    def _awaited(self, future: Future[T]) -> T:
        def tell() -> None:
            self._report(self._meter.progress())

        return awaited(future, self._cancel, self._tuning.tick, tell)

    def _kept(self, identity: Identity) -> RangeSet:
        """What an earlier pull left of the same files."""
        record = self._part.earlier()
        return record.ranges if record and record.identity == identity else RangeSet()

    def _make_pieces(self) -> list[Piece]:
        missing = self._part.missing()
        pieces = []
        for member, slot in zip(self._plan.members, self._zip.slots, strict=True):
            clipped = [(max(a, slot.data), min(b, slot.end)) for a, b in missing]
            gaps = [(a - slot.data, b - slot.data) for a, b in clipped if a < b]
            queue = RangeQueue(gaps, self._tuning.lease)
            sink = Shifted(self._part, self._meter, slot.data)
            path = f"{self._work.rstrip('/')}/{member.source}"
            pieces.append(Piece(member, slot, Feed(path, queue, sink, self._cap, self._tuning)))
        return pieces

    def _left(self) -> int:
        return sum(piece.feed.queue.left for piece in self._pieces)

    def _first_seat(self) -> PackSeat:
        link = self._connect()
        try:
            carried = self._cap.open and worth_carrying(link.rtt, self._left())
            carrier = link.carrier() if carried else None
            if carrier is not None:
                for piece in self._pieces:  # one stream takes it all: no need of small shares
                    piece.feed.queue.lease = max(1, piece.member.size)
            seat = PackSeat(link, self._tuning, carrier)
        except BaseException:
            link.close()
            raise
        self._ready.append(seat)
        return seat

    def _open_seat(self) -> PackSeat:
        if self._ready:
            seat = self._ready.popleft()
        else:
            link = self._connect()
            try:
                seat = PackSeat(link, self._tuning)
            except BaseException:
                link.close()
                raise
        seat.pieces = self._pieces
        return seat

    def _receive(self, rtt: float) -> None:
        self._meter.phase = "receive"
        left = self._left()
        if not left:
            return
        lanes = first_guess(rtt, left, self._tuning.most_connections)
        crew = Crew(self._open_seat, self._meter, self._report, self._cancel, self._tuning)
        queues = [piece.feed.queue for piece in self._pieces]
        work = Work(
            lambda: any(queue.waiting for queue in queues),
            lambda: all(queue.left == 0 for queue in queues),
        )
        crew.run(work, Ramp(lanes, self._tuning))

    def _verify(self, rtt: float) -> None:
        """Wait until every member has the SHA-256 it should; bad blocks come again."""
        assert self._hash is not None
        for _ in range(REPAIRS):
            self._meter.phase = "verify"
            outline = self._awaited(self._outline)
            with disk_errors(self._part.path):
                bad = self._awaited(self._hash.bad)
            if not bad:
                return
            for number in bad:
                self._repair(self._pieces[number], outline.members[number].sha256)
            self._hash = PackHash(self._part.path, self._part.reach, self._outline)
            self._receive(rtt)
        raise Problem("remote.transfer.mismatch", ExitCode.DATA, path=self._plan.name)

    def _repair(self, piece: Piece, sha256: str) -> None:
        """Put the blocks that differ back into the queue."""
        path, size = piece.feed.path, piece.member.size

        def ask() -> agent_reading.RemoteDigest:
            link = self._connect()
            try:
                return agent_reading.digest(link, path, size, self._tuning.block)
            finally:
                link.close()

        theirs = self._again(ask, self._tuning.give_up)
        if theirs.whole != sha256:  # not the file the outline spoke of
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=path)
        bad = []
        with disk_errors(self._part.path), self._part.path.open("rb") as file:
            for number, digest in enumerate(theirs.blocks):
                start = number * self._tuning.block
                end = min(size, start + self._tuning.block)
                file.seek(piece.slot.data + start)
                if hashlib.sha256(file.read(end - start)).hexdigest() != digest:
                    bad.append((start, end))
        base = piece.slot.data
        self._part.spoil([(base + start, base + end) for start, end in bad], None)
        self._meter.held -= sum(end - start for start, end in bad)
        piece.feed.queue.add(bad)

    def _again(self, action: Callable[[], T], limit: float) -> T:
        return patiently(action, self._tuning, self._cancel, self._meter, limit=limit)

    def close(self) -> None:
        """End the connection that nobody took; keep what was received."""
        if self._hash is not None:
            self._hash.stop()
        for seat in self._ready:
            seat.close()
        self._part.close()


def _frame(outline: Outline) -> Iterator[tuple[int, bytes]]:
    """Headers, texts and directory around the files, by offset: what makes it an archive."""
    whole = StoredZip([(member.name, member.size) for member in outline.members])
    for member, slot in zip(outline.members, whole.slots, strict=True):
        yield slot.header, whole.header(slot, member.crc)
        if member.source is None:
            yield slot.data, member.text
    yield whole.directory_at, whole.directory([member.crc for member in outline.members])
