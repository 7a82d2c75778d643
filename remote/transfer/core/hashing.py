"""SHA-256 of a file while it is being received: a thread that follows the finished prefix."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

STEP = 1 << 20


class PrefixHash:
    """Hashes `path` up to `prefix()` as that grows, so the end finds nearly all of it done.

    The bytes are read back from the file: what is hashed is what was written.
    """

    def __init__(self, path: Path, prefix: Callable[[], int]) -> None:
        self._path = path
        self._prefix = prefix
        self._hash = hashlib.sha256()
        self._at = 0
        self._stop = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._follow, name="transfer-hash", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            # A coarse step: this thread must not fight the receiving one for the interpreter.
            while not self._stop.wait(0.05):
                self._advance()
        except OSError as error:
            self._failure = error

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
        self.stop()
        if self._failure is not None:
            raise self._failure
        self._advance()
        return self._hash.hexdigest()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        self._thread.join()


def block_digests(path: Path, block: int) -> list[str]:
    """SHA-256 of every `block` bytes of a file, hex."""
    digests = []
    with path.open("rb") as file:
        while data := file.read(block):
            digests.append(hashlib.sha256(data).hexdigest())
    return digests
