"""Connections that fetch the members of one archive, and what they share."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from engine.contract.problem import ExitCode, Problem
from remote.faults import NoSftp
from remote.transfer import agent_call, wire
from remote.transfer.channel import Carrier, Link, cut, read_some
from remote.transfer.download_seats import CommandSeat, Feed
from remote.transfer.lane import Lane
from remote.transfer.outline import Planned
from remote.transfer.part_file import PartFile
from remote.transfer.progress import Meter
from remote.transfer.ranges import Range
from remote.transfer.reading import receive
from remote.transfer.sftp import CHUNK, Session
from remote.transfer.stored_zip import Slot
from remote.transfer.tuning import Tuning


@dataclass(frozen=True)
class Piece:
    """One remote file of the archive: where it comes from, where it goes, what is missing."""

    member: Planned
    slot: Slot
    feed: Feed


class Shifted:
    """A sink for one member: its offsets are those of the member, the file's are the archive's."""

    def __init__(self, part: PartFile, meter: Meter, base: int) -> None:
        self._part = part
        self._meter = meter
        self._base = base

    def write(self, offset: int, data: memoryview) -> None:
        self._part.write(self._base + offset, data)

    def finished(self, start: int, end: int) -> None:
        self._part.finished(self._base + start, self._base + end)
        self._meter.add(end - start)


# Prints slices PATH START LENGTH one after the other; `all` is a whole file.
_SLICES = (
    'while [ "$#" -gt 0 ]; do if [ "$3" = all ]; then cat -- "$1"; '
    'else tail -c "+$(($2 + 1))" -- "$1" | head -c "$3"; fi || exit; shift 3; done'
)
# One command's words must fit into 128 KiB.
_MOST_SLICES = 100


class PackSeat:
    """One connection that fetches ranges of all members, one file open at a time.

    `carrier` brings all of them in one stream instead. `way` is "exec" where there is no SFTP.
    """

    def __init__(self, link: Link, tuning: Tuning, carrier: Carrier | None = None) -> None:
        self.link = link
        self.pieces: tuple[Piece, ...] = ()
        self._tuning = tuning
        self._carrier = carrier
        self._session: Session | None = None
        self.way = "sftp"
        if carrier is None:
            try:
                self._session = Session(link.open_sftp(window=tuning.window))
                self._session.greet()
            except NoSftp:
                self.way = "exec"  # plain commands do the same

    def work(self, lane: Lane) -> None:
        if self._carrier is not None:
            self._carry(self._carrier, lane)
            return
        for piece in self.pieces:
            if lane.leave.is_set():
                return
            if not piece.feed.queue.waiting:
                continue
            if self._session is None:
                seat = CommandSeat(self.link, piece.feed.path, self._tuning)
                seat.feed = piece.feed
                seat.work(lane)
            else:
                self._receive(self._session, piece, lane)

    def _carry(self, carrier: Carrier, lane: Lane) -> None:
        leases: deque[tuple[Piece, Range]] = deque()
        for piece in self.pieces:
            while len(leases) < _MOST_SLICES and (lease := piece.feed.queue.take()) is not None:
                leases.append((piece, lease))
        words = []
        for piece, (start, end) in leases:
            length = "all" if end - start == piece.member.size else str(end - start)
            words += [agent_call.plain_path(piece.feed.path), str(start), length]
        lane.owe(True)
        try:
            stream = carrier.open_stream(["sh", "-c", _SLICES, "sovdeck", *words])
            try:
                while leases:
                    piece, (start, end) = leases[0]
                    data = read_some(stream, min(CHUNK, end - start))
                    if not data:
                        raise cut()
                    lane.mark()
                    at = start + len(data)
                    piece.feed.sink.write(start, memoryview(data))
                    piece.feed.sink.finished(start, at)
                    piece.feed.queue.done(len(data))
                    leases[0] = (piece, (at, end))
                    if at == end:
                        leases.popleft()
            finally:
                stream.close()
        finally:
            lane.owe(False)
            for piece, rest in leases:
                piece.feed.queue.give_back([rest])

    def _receive(self, session: Session, piece: Piece, lane: Lane) -> None:
        session.heard = lane.mark
        feed = piece.feed
        handle, now = session.open(agent_call.plain_path(feed.path), wire.FOR_READING)
        if now is not None and now.size not in (None, piece.member.size):
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=feed.path)
        receive(
            session, handle, feed.path, feed.queue, feed.sink, lane,
            inflight=self._tuning.inflight, cap=feed.cap,
        )  # fmt: skip
        session.close_file(handle)

    def close(self) -> None:
        if self._carrier is not None:
            self._carrier.close()
        self.link.close()
