"""Connections that send: small files as one tar stream, large ones by SFTP or plain commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.faults import NoSftp
from remote.transfer import wire
from remote.transfer.agent_call import argv, plain_path
from remote.transfer.agent_staging import STAGING
from remote.transfer.bandwidth import Cap
from remote.transfer.cargo import PIECE, Cargo, Content, LargeFile
from remote.transfer.channel import Link, Stream, cut, read_some
from remote.transfer.content_tar import END, changed_here, pieces
from remote.transfer.lane import Lane
from remote.transfer.sftp import Session
from remote.transfer.tuning import Tuning
from remote.transfer.writing import Read, send


class Hold:
    """What every connection of one push shares."""

    def __init__(
        self, folder: str, cargo: Cargo, moved: Callable[[int], None], cap: Cap, tuning: Tuning
    ) -> None:
        self.folder = plain_path(folder)
        self.cargo = cargo
        self.moved = moved
        self.cap = cap
        self.tuning = tuning


class UploadSeat:
    """One connection that sends. `way` is "exec" where there is no SFTP though it is wanted."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.keeps_link = False
        self.hold: Hold | None = None
        self.way = "sftp"
        self._stream: Stream | None = None
        self._session: Session | None = None

    def open_session(self, tuning: Tuning) -> None:
        """Needed for large files; without SFTP plain commands do the same."""
        try:
            self._session = Session(self.link.open_sftp(window=tuning.window))
            self._session.greet()
        except NoSftp:
            self.way = "exec"

    def work(self, lane: Lane) -> None:
        assert self.hold is not None
        cargo = self.hold.cargo
        while not lane.leave.is_set() and (batch := cargo.take_batch()):
            sent = False
            try:
                self._send_batch(self.hold, batch, lane)
                sent = True
            finally:
                lane.owe(False)
                (cargo.batch_done if sent else cargo.give_back)(batch)
        for file in cargo.large:
            while file.queue.waiting and not lane.leave.is_set():
                if self._session is not None:
                    self._send_ranges(self.hold, self._session, file, lane)
                else:
                    self._send_lease(self.hold, file, lane)

    def _send_batch(self, hold: Hold, batch: list[Content], lane: Lane) -> None:
        lane.owe(True)
        stream = self._open(argv("take", hold.folder))
        try:
            for piece in pieces(batch, hold.moved):
                self._write(hold, stream, piece, lane)
            self._write(hold, stream, END, lane)
            self._close(stream, hold.folder)
        finally:
            stream.close()

    def _send_ranges(self, hold: Hold, session: Session, file: LargeFile, lane: Lane) -> None:
        session.heard = lane.mark
        path = f"{hold.folder}/{STAGING}/{file.content.sha256}"
        handle, _ = session.open(path, wire.FOR_WRITING | wire.CREATE)
        with file.content.local.open("rb") as local:
            send(
                session, handle, path, file.queue, _reader(local.seek, local.read,
                file.content.local), hold.moved, lane,
                inflight=hold.tuning.inflight, cap=hold.cap,
            )  # fmt: skip
        session.close_file(handle)

    def _send_lease(self, hold: Hold, file: LargeFile, lane: Lane) -> None:
        """One lease as a plain stream. Leases begin at block limits, so dd can seek there."""
        lease = file.queue.take()
        if lease is None:
            return
        start, end = lease
        sent = False
        lane.owe(True)
        try:
            stream = self._open(argv("keep", hold.folder, file.content.sha256, str(start)))
            with file.content.local.open("rb") as local:
                read = _reader(local.seek, local.read, file.content.local)
                for at in range(start, end, PIECE):
                    self._write(hold, stream, read(at, min(PIECE, end - at)), lane)
            self._close(stream, hold.folder)
            sent = True
        finally:
            lane.owe(False)
            if sent:
                file.queue.done(end - start)
                hold.moved(end - start)
            else:
                file.queue.give_back([lease])

    def _open(self, command: list[str]) -> Stream:
        self._stream = self.link.open_stream(command)
        return self._stream

    def _write(self, hold: Hold, stream: Stream, data: bytes, lane: Lane) -> None:
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            try:
                stream.write(piece)
            except Problem as problem:
                if problem.exit_code is ExitCode.INTERNAL:  # the program there has ended: say why
                    self._close(stream, hold.folder)
                raise
            lane.mark()
            if wait := hold.cap.delay(len(piece)):
                lane.leave.wait(wait)
                lane.mark()

    def _close(self, stream: Stream, path: str) -> None:
        """End the input and wait for the program; Problem when it did not succeed."""
        stream.close_write()
        while read_some(stream, PIECE):
            pass
        code = stream.exit_code
        if code is None or code > 128:
            raise cut()
        if code:
            why = f"exit code {code}"
            raise Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)

    def close(self) -> None:
        if not self.keeps_link:
            self.link.close()
            return
        for stream in (self._stream, self._session):
            if stream is not None:
                stream.close()


def _reader(seek: Callable[[int], int], read: Callable[[int], bytes], path: Path) -> Read:
    def take(offset: int, count: int) -> bytes:
        seek(offset)
        data = read(count)
        if len(data) != count:
            raise changed_here(path)
        return data

    return take
