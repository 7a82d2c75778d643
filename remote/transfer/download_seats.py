"""Connections that receive ranges of one remote file: by SFTP, or by plain commands."""

from __future__ import annotations

from remote.faults import NoSftp
from remote.transfer import agent_call, agent_reading, wire
from remote.transfer.agent_call import plain_path
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import Carrier, Link, Stream, cut, read_some
from remote.transfer.journal import Identity
from remote.transfer.lane import Lane
from remote.transfer.ranges import RangeQueue
from remote.transfer.reading import Sink, receive
from remote.transfer.sftp import CHUNK, Session
from remote.transfer.tuning import Tuning

# Prints LENGTH bytes of a file from OFFSET on; tail and head are in every system.
_SLICE = 'tail -c "+$(($2 + 1))" -- "$1" | head -c "$3"'
# The same up to the end of the file, with no second program to pass the bytes through.
_REST = 'if [ "$2" = 0 ]; then exec cat -- "$1"; else exec tail -c "+$(($2 + 1))" -- "$1"; fi'


class Feed:
    """What every connection of one pull shares: the queue, where bytes go, the cap."""

    def __init__(self, path: str, queue: RangeQueue, sink: Sink, cap: Cap, tuning: Tuning) -> None:
        self.path = path
        self.queue = queue
        self.sink = sink
        self.cap = cap
        self.tuning = tuning


class SftpSeat:
    """One SFTP channel with the remote file open. `identity` is None on a strange server."""

    def __init__(self, link: Link, path: str, tuning: Tuning) -> None:
        self.link = link
        self._path = path
        stream = link.open_sftp(window=tuning.window)
        self._session = Session(stream)
        self._handle, attributes = self._session.open(plain_path(path), wire.FOR_READING)
        self.rtt = self._session.round_trip(plain_path(path))
        self.identity: Identity | None = None
        if attributes is not None and attributes.size is not None:
            self.identity = Identity(path, attributes.size, attributes.mtime or 0)
        self.feed: Feed | None = None
        self.keeps_link = False  # set where the link outlives the seat

    def look(self) -> Identity:
        """What the file at the path is now; it may have been replaced since it was opened."""
        now = self._session.stat(plain_path(self._path))
        return Identity(self._path, now.size or 0, now.mtime or 0)

    def work(self, lane: Lane) -> None:
        assert self.feed is not None
        self._session.heard = lane.mark
        feed = self.feed
        receive(
            self._session, self._handle, feed.path, feed.queue, feed.sink, lane,
            inflight=feed.tuning.inflight, cap=feed.cap,
        )  # fmt: skip

    def close(self) -> None:
        if self.keeps_link:
            self._session.close()
        else:
            self.link.close()


class CommandSeat:
    """A connection to a server without SFTP: ranges come from `tail | head` over a channel."""

    rtt = 0.05  # not measured: a command starts slowly, so several run side by side
    identity: Identity | None = None

    def __init__(
        self, link: Link, path: str, tuning: Tuning, carrier: Carrier | None = None, whole: int = -1
    ) -> None:
        """carrier: brings the bytes in the link's stead. whole: bytes of the file, when known."""
        self.link = link
        self._source = carrier or link
        self._carrier = carrier
        self._whole = whole
        self._path = path
        self._window = tuning.window
        self._stream: Stream | None = None
        self.feed: Feed | None = None
        self.keeps_link = False

    def look(self) -> Identity:
        """What the file at the path is now."""
        return agent_reading.identity(self.link, self._path)

    def work(self, lane: Lane) -> None:
        assert self.feed is not None
        queue = self.feed.queue
        while not lane.leave.is_set() and (lease := queue.take()) is not None:
            self._at, end = lease
            try:
                self._slice(self.feed, lane, end)
            finally:
                queue.give_back([(self._at, end)] if self._at < end else [])

    def _slice(self, feed: Feed, lane: Lane, end: int) -> None:
        """Receive from `self._at` up to `end`."""
        start = self._at
        path = agent_call.plain_path(self._path)
        script = _REST if end == self._whole else _SLICE
        argv = ["sh", "-c", script, "sovdeck", path, str(start), str(end - start)]
        lane.owe(True)
        stream = self._stream = self._source.open_stream(argv, window=self._window)
        try:
            while self._at < end:
                data = read_some(stream, min(CHUNK, end - self._at))
                if not data:
                    raise cut()
                lane.mark()
                feed.sink.write(self._at, memoryview(data))
                feed.sink.finished(self._at, self._at + len(data))
                feed.queue.done(len(data))
                self._at += len(data)
                lane.leave.wait(feed.cap.delay(len(data)))
        finally:
            lane.owe(False)
            stream.close()

    def close(self) -> None:
        if self._carrier is not None:
            self._carrier.close()
        elif not self.keeps_link:
            self.link.close()
        elif self._stream is not None:
            self._stream.close()


DownloadSeat = SftpSeat | CommandSeat


def take_seat(link: Link, path: str, tuning: Tuning) -> DownloadSeat:
    """SFTP when the server has it, else plain commands."""
    try:
        return SftpSeat(link, path, tuning)
    except NoSftp:
        return CommandSeat(link, path, tuning)
