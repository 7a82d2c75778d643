"""Changing a small text file that other processes change too: locked, and replaced whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.remote.file_lock import FileLock

_WAIT_S = 10.0  # a rewrite takes milliseconds


@contextmanager
def edit_lines(path: Path) -> Iterator[list[str]]:
    """Yield the file's lines with their ends, to be changed in place; written on a clean exit.

    A missing file has no lines, and bytes that are no UTF-8 stay as they are. The file is replaced
    by `write_atomic`, while a lock file beside it holds off other processes. Problem when one of
    them holds it for ten seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".lock"), path, _WAIT_S)
    try:
        lines = []
        if path.exists():
            lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(
                keepends=True
            )
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"  # else the next line would grow onto it
        before = list(lines)
        yield lines
        if lines != before:
            write_atomic(path, "".join(lines).encode("utf-8", "surrogateescape"), mode=0o600)
    finally:
        lock.release(remove=True)
