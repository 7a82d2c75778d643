"""`NAME.part`: a file that is being received, its journal, and its end."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sovdeck.engine.contract.atomic_io import fsync_folder
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.file_lock import FileLock
from sovdeck.remote.transfer.core import part_journal
from sovdeck.remote.transfer.core.part_journal import JournalRecord, PartJournal, RemoteFile
from sovdeck.remote.transfer.core.ranges import Range, RangeSet

# Left free on the disk besides the file itself: a full system disk breaks more than a pull.
FREE_SPACE_RESERVE = 16 << 20
# With eight connections of one half-received 255 KiB packet each, a kill loses less than 4 MiB.
JOURNAL_EVERY = 1 << 20


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of writing `path` into a Problem that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Problem("remote.transfer.disk_full", ExitCode.DATA, path=str(path)) from error
        why = error.strerror or str(error)
        raise Problem(
            "remote.transfer.cannot_write", ExitCode.DATA, path=str(path), why=why
        ) from error


def check_free_space(folder: Path, need: int) -> None:
    """Make the folder; Problem when its disk has not `need` bytes and some to spare."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    need += FREE_SPACE_RESERVE
    if free < need:
        facts = {"path": str(folder), "need": format_bytes(need), "free": format_bytes(free)}
        raise Problem("remote.transfer.no_space", ExitCode.DATA, **facts)


class PartFile:
    """Receives ranges from several threads. Everything written survives a kill -9.

    `final` is where the whole file will stand. Not reusable after `finish` or `close`.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final.with_name(final.name + ".part")
        self._journal_path = final.with_name(final.name + ".part.journal")
        with disk_errors(final):
            self._lock_file = FileLock(final.with_name(final.name + ".part.lock"), final)
        self._mutex = threading.Lock()
        self._handles: dict[int, BinaryIO] = {}  # by thread
        self._journal: PartJournal | None = None
        self._unwritten = RangeSet()
        self.ranges = RangeSet()
        self.identity = RemoteFile("", 0, 0)

    def read_earlier(self) -> JournalRecord | None:
        """What an interrupted pull left here, if its part file still stands."""
        record = part_journal.read_journal(self._journal_path)
        if record is None or not self.path.exists():
            return None
        return record if self.path.stat().st_size == record.identity.size else None

    def begin(self, identity: RemoteFile, kept: RangeSet, sha256: str | None) -> None:
        """Make room for the file and start its journal; `kept` ranges are not fetched again."""
        self.identity, self.ranges = identity, kept
        check_free_space(self.final.parent, identity.size - kept.size)
        with disk_errors(self.path):
            if not kept.size:
                self._journal_path.unlink(missing_ok=True)  # before the bytes it speaks of go
                self.path.unlink(missing_ok=True)
            with self.path.open("ab") as part:
                part.truncate(identity.size)
            self._journal = PartJournal(self._journal_path, JournalRecord(identity, kept, sha256))

    def write(self, offset: int, data: memoryview) -> None:
        """Write at `offset`; each thread has its own handle, so seeks do not meet."""
        with disk_errors(self.path):
            file = self._handles.get(threading.get_ident())
            if file is None:
                file = self.path.open("r+b", buffering=0)
                self._handles[threading.get_ident()] = file
            file.seek(offset)
            while data:
                data = data[file.write(data) :]

    def finished(self, start: int, end: int) -> None:
        """Note that [start, end) is written."""
        with self._mutex, disk_errors(self._journal_path):
            self.ranges.add(start, end)
            self._unwritten.add(start, end)
            if self._unwritten.size >= JOURNAL_EVERY:
                self._flush()

    def _flush(self) -> None:
        if self._journal is not None and self._unwritten.size:
            self._journal.add(self._unwritten)
            self._unwritten = RangeSet()

    def record_sha256(self, sha256: str) -> None:
        """Note the remote SHA-256: a later pull may resume by it when only the mtime moved."""
        with self._mutex, disk_errors(self._journal_path):
            if self._journal is not None:
                self._journal.add_sha256(sha256)

    def invalidate(self, ranges: list[Range], sha256: str | None) -> None:
        """Take ranges back as not received; the journal is written anew."""
        with self._mutex, disk_errors(self._journal_path):
            self._unwritten = RangeSet()
            for start, end in ranges:
                self.ranges.remove(start, end)
            if self._journal is not None:
                self._journal.close()
            self._journal = PartJournal(
                self._journal_path, JournalRecord(self.identity, self.ranges, sha256)
            )

    def prefix(self) -> int:
        """How many bytes from the beginning on have come without a gap."""
        with self._mutex:
            return self.ranges.prefix()

    def missing(self) -> list[Range]:
        """Ranges that have not come yet."""
        with self._mutex:
            return self.ranges.gaps(self.identity.size)

    def finish(self) -> None:
        """Put the whole file in its place: fsync, rename, fsync of the folder."""
        with disk_errors(self.final):
            with self.path.open("r+b") as part:
                os.fsync(part.fileno())
            self._close_files()
            self.path.replace(self.final)
            fsync_folder(self.final.parent)
            self._journal_path.unlink(missing_ok=True)
            self._lock_file.release(remove=True)

    def discard(self) -> None:
        """Remove what was received: it is of no use to a later pull."""
        self._close_files()
        self._journal_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._lock_file.release(remove=True)

    def close(self) -> None:
        """Stop and keep what was received for the next pull."""
        # On a full disk the last records are lost: at most `JOURNAL_EVERY` bytes come again.
        with self._mutex, contextlib.suppress(OSError):
            self._flush()
        self._close_files()
        # Where nothing was received there is nothing to go on from.
        self._lock_file.release(remove=not self.path.exists())

    def _close_files(self) -> None:
        with self._mutex:
            for file in self._handles.values():
                file.close()
            self._handles.clear()
            if self._journal is not None:
                self._journal.close()
                self._journal = None
