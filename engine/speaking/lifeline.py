"""The caller's end of a pipe: its lines, and whether what it asked for is still wanted."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

_STEP = 1 << 16
_MOST = 16 << 20  # bytes of one line; a request is text and a few paths


class Lifeline:
    """Iterate the lines of a descriptor; they are read in a thread of their own.

    So a request can be given up while it is answered, by `{"cancel": ID}` or by the end of the
    input. The lines end with the input, or after `patience_s` seconds without one: the laptop
    may be asleep behind a link that looks alive, and a model must not stay loaded for it.
    """

    def __init__(self, descriptor: int, patience_s: float) -> None:
        self._descriptor = descriptor
        self._patience_s = patience_s
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._cancelled: list[Any] = []
        self._over = threading.Event()
        threading.Thread(target=self._read, name="lifeline", daemon=True).start()

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                line = self._lines.get(timeout=self._patience_s)
            except queue.Empty:
                return
            if line is None:
                return
            yield line

    def wants(self, name: Any) -> bool:
        """Whether somebody still waits for the answer to the request with this id."""
        return not self._over.is_set() and name not in self._cancelled

    def _read(self) -> None:
        # Not through sys.stdin: a thread that waits in it would hold a lock that the end of the
        # interpreter needs.
        rest = b""
        while len(rest) <= _MOST and (data := os.read(self._descriptor, _STEP)):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                self._take(line.decode("utf-8", "replace"))
        self._over.set()
        self._lines.put(None)

    def _take(self, line: str) -> None:
        if '"cancel"' in line:
            try:
                request = json.loads(line)
            except (ValueError, RecursionError):
                request = None  # answered like any other bad line
            if isinstance(request, dict) and "cancel" in request:
                self._cancelled.append(request["cancel"])
                return
        self._lines.put(line)
