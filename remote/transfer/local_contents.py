"""What a push finds on this computer: sizes, hashes, and the bytes of small files."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.transfer.cargo import SMALL, Content
from remote.transfer.patience import cancelled
from remote.transfer.prefix_hash import STEP, file_digest

STRIDE = 64
KEPT = 32 << 20  # bytes of small files held in memory between hashing and sending


def sizes(local_files: Mapping[str, Path]) -> dict[str, int]:
    """Bytes of every file, by key; Problem for one that is not there."""
    with reading():
        return {path: local_files[path].stat().st_size for path in sorted(local_files)}


@contextmanager
def hashing(
    local_files: Mapping[str, Path], sized: Mapping[str, int], cancel: threading.Event
) -> Iterator[Iterator[tuple[str, Content]]]:
    """The contents of the keys of `sized` in this order, hashed ahead in threads meanwhile."""
    kept = 0

    def content(path: str) -> tuple[str, Content]:
        nonlocal kept
        if cancel.is_set():
            raise cancelled()
        local = local_files[path]
        if sized[path] > SMALL or kept > KEPT:
            return path, Content(local, local.stat().st_size, file_digest(local))
        # The bytes too while few are held, so that they are read once.
        with open(local, "rb", 0) as file:  # noqa: PTH123 - thousands, each at half the price
            data = file.read()
        kept += len(data)
        return path, Content(local, len(data), hashlib.sha256(data).hexdigest(), data)

    def contents(stride: list[str]) -> list[tuple[str, Content]]:
        with reading():
            return [content(path) for path in stride]

    # In strides: handing over each of thousands of small files would cost more than its hash.
    paths = list(sized)
    strides = [paths[at : at + STRIDE] for at in range(0, len(paths), STRIDE)]
    # Of many small files most is Python's own work, where a second thread only gets in the way.
    threads = 2 if max(sized.values(), default=0) > SMALL else 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="transfer-hash")
    try:
        coming = pool.map(contents, strides)
        yield (one for stride in coming for one in stride)
    finally:
        pool.shutdown(cancel_futures=True)


def beginning(local: Path, path: str, size: int) -> str:
    """A name (64 hex digits) for a content that is not hashed yet: the same at a next try."""
    with reading(), local.open("rb", buffering=0) as file:
        head = f"{size} {path}\n".encode("utf-8", "surrogateescape") + file.read(STEP)
    return hashlib.sha256(head).hexdigest()


@contextmanager
def reading() -> Iterator[None]:
    """Problem `cannot_read`, with the file's name, for what the disk here says."""
    try:
        yield
    except OSError as error:
        why, path = error.strerror or str(error), str(error.filename or "")
        raise Problem("remote.transfer.cannot_read", ExitCode.DATA, path=path, why=why) from error
