"""Writing files that survive a kill at any byte: write beside, fsync, rename, fsync the folder."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

# What a full disk, a quota or a file-size limit looks like to a writer.
_NO_SPACE = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


def is_no_space(error: BaseException) -> bool:
    """True for the errors that go away when somebody frees space."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable. Windows cannot open a folder, nor needs to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step; a reader sees the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


class HashedFile:
    """A write-only file that hashes as it goes and remembers its first failure.

    torch's zip writer calls `write` from C++, where an OSError turns into an unrelated
    RuntimeError; so a failure is kept here and raised by `close`, with its errno intact.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._digest = hashlib.sha256()
        self._failure: OSError | None = None
        self.bytes = 0

    def write(self, data: Any) -> int:
        size = len(data)
        if self._failure is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._failure = error
            self._digest.update(data)
            self.bytes += size
        return size

    def flush(self) -> None:
        """torch calls this; the one flush that matters is in `close`."""

    def close(self) -> str:
        """Flush to the disk and return the SHA-256; raise what any write had met."""
        try:
            if self._failure is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            try:
                self._file.close()
            except OSError as error:  # buffered bytes that no longer fit
                self._failure = self._failure or error
        if self._failure is not None:
            raise self._failure
        return self._digest.hexdigest()


def write_hashed(path: Path, fill: Callable[[HashedFile], None]) -> tuple[int, str]:
    """Let `fill` write `path`; return (bytes, sha256). The caller renames and fsyncs the folder."""
    file = HashedFile(path)
    try:
        fill(file)
    except BaseException:
        try:
            file.close()
        except OSError as error:
            raise error from None  # the cause: torch's own error only says that it gave up
        raise
    return file.bytes, file.close()


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
