"""Reading request lines from standard input, with cancellation while one is answered."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from typing import Any

from sovdeck.engine.contract.foreign_values import parse_json

_READ_SIZE = 1 << 16
_MAX_LINE_BYTES = 16 << 20  # bytes of one line; a request is text and a few paths


class StdinReader:
    """Iterate the lines of a descriptor; they are read in a thread of their own.

    So a request can be cancelled while it is answered, by `{"cancel": ID}` or by the end of the
    input. The lines end with the input, or after `idle_s` seconds without one: the laptop may
    be asleep behind a connection that looks alive, and a model must not stay loaded for it.
    """

    def __init__(self, descriptor: int, idle_s: float) -> None:
        self._descriptor = descriptor
        self._idle_s = idle_s
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._cancelled: list[Any] = []
        self._ended = threading.Event()
        threading.Thread(target=self._read, name="stdin-reader", daemon=True).start()

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                line = self._lines.get(timeout=self._idle_s)
            except queue.Empty:
                return
            if line is None:
                return
            yield line

    def is_wanted(self, request_id: Any) -> bool:
        """Whether somebody still waits for the answer to the request with this id."""
        return not self._ended.is_set() and request_id not in self._cancelled

    def _read(self) -> None:
        # Not through sys.stdin: a thread that waits in it would hold a lock that the end of the
        # interpreter needs.
        rest = b""
        while len(rest) <= _MAX_LINE_BYTES and (data := os.read(self._descriptor, _READ_SIZE)):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                self._handle_line(line.decode("utf-8", "replace"))
        self._ended.set()
        self._lines.put(None)

    def _handle_line(self, line: str) -> None:
        if '"cancel"' in line:
            try:
                request = parse_json(line)
            except ValueError:
                request = None  # answered like any other bad line
            if isinstance(request, dict) and "cancel" in request:
                self._cancelled.append(request["cancel"])
                return
        self._lines.put(line)
