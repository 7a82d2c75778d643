"""File writes that survive a kill at any byte: write beside, fsync, rename, fsync the folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

# What a full disk, a quota or a file-size limit looks like to a writer.
_DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


def is_disk_full(error: BaseException) -> bool:
    """True for a full disk, an exhausted quota or a file-size limit."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL_ERRNOS


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable. Windows cannot open a folder, nor needs to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_replacement(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; at the end it replaces `path` in one step.

    For large files with one writer at a time: what a killed one left is written over by the next.
    A failure leaves `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    with _replacing(path, beside, durable=True, keep_mode=False):
        yield beside


@contextlib.contextmanager
def _replacing(path: Path, beside: Path, *, durable: bool, keep_mode: bool) -> Iterator[None]:
    try:
        yield
        if durable:
            with beside.open("r+b") as file:
                os.fsync(file.fileno())
        if keep_mode and path.exists():
            shutil.copymode(path, beside)
        _replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        fsync_folder(path.parent)


def _replace(beside: Path, path: Path) -> None:
    """Rename over `path`. Windows refuses while somebody reads it: tried again for a second."""
    for _ in range(50 if sys.platform == "win32" else 0):
        try:
            beside.replace(path)
            return
        except PermissionError:
            time.sleep(0.02)
    beside.replace(path)


def write_atomic(
    path: Path, data: bytes, *, durable: bool = True, mode: int = 0o666, keep_mode: bool = True
) -> None:
    """Replace `path` by `data` in one step; a reader sees the old bytes or the new ones.

    durable: False leaves out the fsyncs, for files that can be made again after a power cut.
    mode: permissions of a new file, less the umask; an existing one keeps its own, unless
    `keep_mode` is False. A symbolic link stays one: the file it names is replaced. The folder is
    made where it is missing.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")  # others may write too
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with (
        _replacing(target, beside, durable=durable, keep_mode=keep_mode),
        os.fdopen(os.open(beside, flags, mode), "wb") as file,
    ):
        file.write(data)


class HashingFile:
    """A write-only file that hashes what is written and keeps its first failure.

    The zip writer of torch calls `write` from C++, where an OSError turns into an unrelated
    RuntimeError; so a failure is kept here and raised by `close`, with its errno intact.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._digest = hashlib.sha256()
        self._failure: OSError | None = None
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Write and hash `data`; return its length, also when the disk is full."""
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
        """Do nothing: torch calls this, and `close` flushes."""

    def close(self) -> str:
        """Flush to the disk and return the SHA-256; raise the OSError any write has met."""
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


def write_hashed(path: Path, write_content: Callable[[HashingFile], None]) -> tuple[int, str]:
    """Write `path` by `write_content`; return (bytes, sha256). The caller renames and fsyncs."""
    file = HashingFile(path)
    try:
        write_content(file)
    except BaseException:
        try:
            file.close()
        except OSError as error:
            raise error from None  # the cause: the error of torch does not name it
        raise
    return file.bytes, file.close()


def replace_hashed(path: Path, write_content: Callable[[HashingFile], None]) -> tuple[int, str]:
    """Replace `path` in one step by what `write_content` writes; return (bytes, sha256)."""
    with atomic_replacement(path) as beside:
        return write_hashed(beside, write_content)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
