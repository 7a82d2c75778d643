"""Changing a small text file that other processes change too: locked, and replaced whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic

_STALE_S = 10.0  # a rewrite takes milliseconds; an older lock was left by a crash


@contextmanager
def edit_lines(path: Path) -> Iterator[list[str]]:
    """Yield the file's lines with their ends, to be changed in place; written on a clean exit.

    A missing file has no lines, and bytes that are no UTF-8 stay as they are. The file is replaced
    by `write_atomic`, while a lock file beside it holds off other processes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    _acquire_lock(lock)
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
        lock.unlink(missing_ok=True)


def _acquire_lock(lock: Path) -> None:
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return
        except FileExistsError:
            _remove_stale_lock(lock)
            time.sleep(0.01)
        except PermissionError:
            # Windows, while another process is just removing the lock.
            if not lock.exists():
                raise
            time.sleep(0.01)


def _remove_stale_lock(lock: Path) -> None:
    try:
        age = time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return
    if age > _STALE_S:
        lock.unlink(missing_ok=True)
