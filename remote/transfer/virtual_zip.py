"""`NAME.zip` put together here from the files on the server, without an archive there.

Byte for byte the archive that `engine pack` would have written: for servers whose disk has no
room for one, and one step less where it has.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from engine.contract.problem import ExitCode, Problem
from remote import local_names
from remote.transfer import server
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import Connect
from remote.transfer.crew import Crew, Work
from remote.transfer.download_seats import Feed
from remote.transfer.journal import Identity
from remote.transfer.outline import Outline
from remote.transfer.pack_seat import PackSeat, Piece, Shifted
from remote.transfer.part_file import PartFile, disk_errors
from remote.transfer.patience import patiently
from remote.transfer.prefix_hash import file_digest
from remote.transfer.progress import Meter, Report
from remote.transfer.pull import REPAIRS, Pulled
from remote.transfer.ramp import Ramp, first_guess
from remote.transfer.ranges import RangeQueue, RangeSet
from remote.transfer.stored_zip import Slot, StoredZip
from remote.transfer.tuning import Tuning

STEP = 1 << 20
T = TypeVar("T")


def pull_virtual(
    connect: Connect,
    outline: Outline,
    work_folder: str,
    dest_folder: Path,
    *,
    report: Report,
    cancel: threading.Event,
    resume: bool = True,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> Pulled:
    """Fetch the members of `outline` straight into a local stored zip; whole or absent.

    Every member is compared with its SHA-256 in the outline. Raises Problem; what came is kept
    and the next call with the same outline goes on.
    """
    tuning = tuning or Tuning()
    with disk_errors(dest_folder):
        dest_folder.mkdir(parents=True, exist_ok=True)
    part = PartFile(dest_folder / local_names.safe(outline.name), tuning.journal_every)
    one = _VirtualPull(connect, outline, work_folder, part, report, cancel, tuning, bandwidth)
    try:
        return one.run(resume)
    finally:
        one.close()


class _VirtualPull:
    """The state of one call of `pull_virtual`."""

    def __init__(
        self, connect: Connect, outline: Outline, work_folder: str, part: PartFile,
        report: Report, cancel: threading.Event, tuning: Tuning, bandwidth: float | None,
    ) -> None:  # fmt: skip
        self._connect = connect
        self._outline = outline
        self._work = work_folder
        self._part = part
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._cap = Cap(bandwidth)
        self._meter = Meter()
        self._zip = StoredZip([(member.name, member.size) for member in outline.members])
        self._ready: deque[PackSeat] = deque()
        self._pieces: tuple[Piece, ...] = ()

    def run(self, resume: bool) -> Pulled:
        began = monotonic()
        # The outline's own digest stands where a file has its time: other content, other number.
        mark = int(self._outline.digest[:12], 16)
        identity = Identity(f"outline of {self._outline.name}", self._zip.size, mark)
        record = self._part.earlier() if resume else None
        kept = record.ranges if record and record.identity == identity else RangeSet()
        self._part.begin(identity, kept, None)
        self._pieces = tuple(self._make_pieces())
        wanted = sum(piece.member.size for piece in self._pieces)
        left = sum(piece.feed.queue.left for piece in self._pieces)
        self._meter.total, self._meter.held = wanted, wanted - left
        first = self._again(self._first_seat, self._tuning.first_contact)
        self._meter.way = first.way
        self._receive(first.rtt)
        crcs = self._verified(first.rtt)
        self._write_frame(crcs)
        with disk_errors(self._part.path):
            whole = file_digest(self._part.path)
        self._part.finish()
        self._meter.phase = "done"
        self._report(self._meter.progress())
        return Pulled(
            self._part.final, self._zip.size, whole, monotonic() - began, wanted - left,
            self._meter.way, self._meter.retries,
        )  # fmt: skip

    def _make_pieces(self) -> list[Piece]:
        missing = self._part.missing()
        pieces = []
        for member, slot in zip(self._outline.members, self._zip.slots, strict=True):
            if member.source is None:
                self._part.write(slot.data, memoryview(member.text))
                continue
            clipped = [(max(a, slot.data), min(b, slot.end)) for a, b in missing]
            gaps = [(a - slot.data, b - slot.data) for a, b in clipped if a < b]
            queue = RangeQueue(gaps, self._tuning.lease)
            sink = Shifted(self._part, self._meter, slot.data)
            path = f"{self._work.rstrip('/')}/{member.source}"
            pieces.append(Piece(member, slot, Feed(path, queue, sink, self._cap, self._tuning)))
        return pieces

    def _first_seat(self) -> PackSeat:
        seat = self._new_seat()
        self._ready.append(seat)
        return seat

    def _new_seat(self) -> PackSeat:
        link = self._connect()
        try:
            return PackSeat(link, self._tuning)
        except BaseException:
            link.close()
            raise

    def _open_seat(self) -> PackSeat:
        seat = self._ready.popleft() if self._ready else self._new_seat()
        seat.pieces = self._pieces
        return seat

    def _receive(self, rtt: float) -> None:
        self._meter.phase = "receive"
        left = sum(piece.feed.queue.left for piece in self._pieces)
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

    def _verified(self, rtt: float) -> list[int]:
        """CRC-32 of every member, once each has the SHA-256 it should; bad blocks come again."""
        for _ in range(REPAIRS):
            self._meter.phase = "verify"
            self._report(self._meter.progress())
            sums = [self._sums(slot) for slot in self._zip.slots]
            right = {slot for slot, (_, sha256), member in
                     zip(self._zip.slots, sums, self._outline.members, strict=True)
                     if sha256 == member.sha256}  # fmt: skip
            bad = [piece for piece in self._pieces if piece.slot not in right]
            if not bad:
                return [crc for crc, _ in sums]
            for piece in bad:
                self._repair(piece)
            self._receive(rtt)
        raise Problem("remote.transfer.mismatch", ExitCode.DATA, path=self._outline.name)

    def _sums(self, slot: Slot) -> tuple[int, str]:
        """(CRC-32, SHA-256) of one member, from the part file."""
        crc, digest = 0, hashlib.sha256()
        with disk_errors(self._part.path), self._part.path.open("rb") as file:
            file.seek(slot.data)
            left = slot.size
            while left and (data := file.read(min(STEP, left))):
                crc = zlib.crc32(data, crc)
                digest.update(data)
                left -= len(data)
        return crc, digest.hexdigest()

    def _repair(self, piece: Piece) -> None:
        """Put the blocks that differ back into the queue."""
        path, size = piece.feed.path, piece.member.size

        def ask() -> server.RemoteDigest:
            link = self._connect()
            try:
                return server.digest(link, path, size, self._tuning.block)
            finally:
                link.close()

        theirs = self._again(ask, self._tuning.give_up)
        if theirs.whole != piece.member.sha256:  # not the file the outline spoke of
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

    def _write_frame(self, crcs: list[int]) -> None:
        """Headers and directory around the members: what makes the file an archive."""
        for slot, crc in zip(self._zip.slots, crcs, strict=True):
            self._part.write(slot.header, memoryview(self._zip.header(slot, crc)))
        directory = self._zip.directory(crcs)
        self._part.write(self._zip.directory_at, memoryview(directory))

    def _again(self, action: Callable[[], T], limit: float) -> T:
        return patiently(action, self._tuning, self._cancel, self._meter, limit=limit)

    def close(self) -> None:
        """End the connection that nobody took; keep what was received."""
        for seat in self._ready:
            seat.close()
        self._part.close()
