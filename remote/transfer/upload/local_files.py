"""What a push finds on this computer: sizes, hashes, and the bytes of small files."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice, starmap
from pathlib import Path
from typing import NamedTuple

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.batch_queue import BatchQueue
from sovdeck.remote.transfer.core.context import cancelled
from sovdeck.remote.transfer.core.hashing import STEP
from sovdeck.remote.transfer.core.tuning import STREAM_BYTES
from sovdeck.remote.transfer.upload.queue import Content

# Hashed in one go: so many files, or bytes of them. AHEAD: such goes before they are taken.
STRIDE_FILES, STRIDE_BYTES, STRIDES_AHEAD = 64, 4 << 20, 8


def file_sizes(local_files: Mapping[str, Path]) -> dict[str, int]:
    """Bytes of every file, by key; Problem for one that is not there."""
    with read_errors():
        return {path: local_files[path].stat().st_size for path in sorted(local_files)}


class _Waiting(NamedTuple):
    path: str
    size: int


@contextmanager
def hash_ahead(
    local_files: Mapping[str, Path], sized: Mapping[str, int], cancel: threading.Event
) -> Iterator[Iterator[tuple[str, Content]]]:
    """The contents of the keys of `sized` in this order, hashed ahead in threads meanwhile.

    Small files come with their bytes.
    """

    def content(waiting: _Waiting) -> tuple[str, Content]:
        if cancel.is_set():
            raise cancelled()
        path, local = waiting.path, local_files[waiting.path]
        if waiting.size > STREAM_BYTES:
            return path, Content(local, local.stat().st_size, file_sha256(local))
        # The bytes too, so that they are read once.
        with open(local, "rb", 0) as file:  # noqa: PTH123 - thousands, each at half the price
            data = file.read()
        return path, Content(local, len(data), hashlib.sha256(data).hexdigest(), data)

    def contents(stride: list[_Waiting]) -> list[tuple[str, Content]]:
        with read_errors():
            return [content(waiting) for waiting in stride]

    # In strides: handing over each of thousands of small files would cost more than its hash.
    queue = BatchQueue(starmap(_Waiting, sized.items()), STRIDE_BYTES, STRIDE_FILES)
    strides = iter(queue.take, [])
    # Of many small files most is Python's own work, where a second thread only gets in the way.
    threads = 2 if max(sized.values(), default=0) > STREAM_BYTES else 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="transfer-hash")
    # Not all at once: memory that is used again costs less than memory that is asked for.
    under_way = deque(pool.submit(contents, stride) for stride in islice(strides, STRIDES_AHEAD))

    def coming() -> Iterator[tuple[str, Content]]:
        while under_way:
            found = under_way.popleft().result()
            under_way.extend(pool.submit(contents, stride) for stride in islice(strides, 1))
            yield from found

    try:
        yield coming()
    finally:
        pool.shutdown(cancel_futures=True)


def provisional_name(local: Path, path: str, size: int) -> str:
    """A name (64 hex digits) for a content that is not hashed yet: the same at a next try."""
    with read_errors(), local.open("rb", buffering=0) as file:
        head = f"{size} {path}\n".encode("utf-8", "surrogateescape") + file.read(STEP)
    return hashlib.sha256(head).hexdigest()


@contextmanager
def read_errors() -> Iterator[None]:
    """Problem `cannot_read`, with the file's name, for what the disk here says."""
    try:
        yield
    except OSError as error:
        why, path = error.strerror or str(error), str(error.filename or "")
        raise Problem("remote.transfer.cannot_read", ExitCode.DATA, path=path, why=why) from error
