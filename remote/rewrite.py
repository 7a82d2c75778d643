"""Changing a small text file that other processes change too: locked, and replaced whole."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STALE_S = 10.0  # a rewrite takes milliseconds; an older lock was left by a crash


@contextmanager
def rewriting(path: Path) -> Iterator[list[str]]:
    """Yield the file's lines with their ends, to be changed in place; written on a clean exit.

    A missing file has no lines. A crash leaves the old file or the new one. New files are
    readable by their owner only; an existing file keeps its mode.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    _take(lock)
    try:
        lines = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"  # else the next line would grow onto it
        before = list(lines)
        yield lines
        if lines != before:
            _replace(path, "".join(lines))
    finally:
        lock.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    target = path.resolve()  # a linked file stays a link
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    if target.exists():
        shutil.copymode(target, temporary)
    Path(temporary).replace(target)


def _take(lock: Path) -> None:
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return
        except FileExistsError:
            _drop_stale(lock)
            time.sleep(0.01)
        except PermissionError:
            # Windows, while another process is just removing the lock.
            if not lock.exists():
                raise
            time.sleep(0.01)


def _drop_stale(lock: Path) -> None:
    try:
        age = time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return
    if age > _STALE_S:
        lock.unlink(missing_ok=True)
