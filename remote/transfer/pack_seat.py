"""Connections that fetch the members of one archive, and what they share."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contract.problem import ExitCode, Problem
from remote.faults import NoSftp
from remote.transfer import server, wire
from remote.transfer.channel import Link
from remote.transfer.download_seats import CommandSeat, Feed
from remote.transfer.lane import Lane
from remote.transfer.outline import Member
from remote.transfer.part_file import PartFile
from remote.transfer.progress import Meter
from remote.transfer.reading import receive
from remote.transfer.sftp import Session
from remote.transfer.stored_zip import Slot
from remote.transfer.tuning import Tuning


@dataclass(frozen=True)
class Piece:
    """One remote file of the archive: where it comes from, where it goes, what is missing."""

    member: Member
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


class PackSeat:
    """One connection that fetches ranges of all members, one file open at a time."""

    def __init__(self, link: Link, tuning: Tuning) -> None:
        self.link = link
        self.pieces: tuple[Piece, ...] = ()
        self._tuning = tuning
        self._session: Session | None = None
        self.rtt, self.way = CommandSeat.rtt, "exec"
        try:
            self._session = Session(link.open_sftp(window=tuning.window))
            self._session.greet()
            self.rtt, self.way = self._session.rtt, "sftp"
        except NoSftp:
            pass  # plain commands do the same, and `way` says so

    def work(self, lane: Lane) -> None:
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

    def _receive(self, session: Session, piece: Piece, lane: Lane) -> None:
        session.heard = lane.mark
        feed = piece.feed
        handle, now = session.open(server.plain_path(feed.path), wire.FOR_READING)
        if now is not None and now.size not in (None, piece.member.size):
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=feed.path)
        receive(
            session, handle, feed.path, feed.queue, feed.sink, lane,
            inflight=self._tuning.inflight, cap=feed.cap,
        )  # fmt: skip
        session.close_file(handle)

    def close(self) -> None:
        self.link.close()
