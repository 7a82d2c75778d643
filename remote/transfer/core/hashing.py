"""SHA-256 of a file while it is being received, and of its blocks where it turned out wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from sovdeck.remote.transfer.core.ranges import Range

STEP = 1 << 20


class PrefixHash:
    """Hashes `path` in a thread up to `prefix()` as that grows: at the end nearly all is done.

    The bytes are read back from the file: what is hashed is what was written. The thread ends with
    the `with` block.
    """

    def __init__(self, path: Path, prefix: Callable[[], int]) -> None:
        self._path = path
        self._prefix = prefix
        self._hash = hashlib.sha256()
        self._at = 0
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="transfer-hash")

    def __enter__(self) -> Self:
        self._following = self._pool.submit(self._follow)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._pool.shutdown()

    def _follow(self) -> None:
        # A coarse step: this thread must not fight the receiving one for the interpreter.
        while not self._stop.wait(0.05):
            self._advance()

    def _advance(self) -> None:
        end = self._prefix()
        if self._at >= end:
            return
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._at)
            while self._at < end:
                data = file.read(min(STEP, end - self._at))
                if not data:
                    return
                self._hash.update(data)
                self._at += len(data)

    def result(self) -> str:
        """Hash what is left and return the digest, hex. Raises OSError when reading failed."""
        self._stop.set()
        self._following.result()
        self._advance()
        return self._hash.hexdigest()


def differing_blocks(path: Path, block: int, theirs: Mapping[int, str]) -> list[Range]:
    """Ranges of a file whose blocks of `block` bytes have not the SHA-256 (hex) of `theirs`."""
    differing, start = [], 0
    with path.open("rb") as file:
        while data := file.read(block):
            if hashlib.sha256(data).hexdigest() != theirs.get(start // block):
                differing.append((start, start + len(data)))
            start += len(data)
    return differing
