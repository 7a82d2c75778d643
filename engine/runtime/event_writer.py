"""The writer of `events.jsonl`: one JSON object a line, in order, never half a line."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import is_disk_full
from sovdeck.engine.contract.events import Event, check_event, parse_event
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.summary_file import TAIL_BYTES, SummaryFile

_TAIL_BYTES = 1 << 18  # a line is far shorter than this
_FSYNCED_TYPES = frozenset({"checkpoint", "export", "run_finished", "error"})
_SUMMARISED_TYPES = frozenset({"stage_finished", "run_finished"})


class EventWriter:
    """Appends events to one file. Safe to use from several threads; one process only.

    `seq` continues over attempts: opening truncates a partial line that a killed writer left
    and counts on from the last complete one. When the disk is full, lines wait in memory and follow
    in order once there is space again; nothing is lost while the process lives. What the events
    come to is kept in `summary.json` beside them.

    A file that is shorter or longer than it was left has another writer, or was cut by somebody:
    from then on nothing is written, and each call raises Problem.
    """

    def __init__(self, path: Path, run: str, *, same_attempt: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = _open_for_append(path)
        self._size, last = _truncate_torn_line(self._file)
        self._lock = threading.Lock()
        self._pending: deque[Event] = deque()
        self._summary = SummaryFile(path)
        self._written: list[Event] = []  # since the summary last took any
        self._changed: Problem | None = None
        self.run = run
        self.seq = last.seq + 1 if last else 0
        before = last.attempt if last else 0
        self.attempt = before if same_attempt and last else before + 1

    def emit(self, type: str, stage: str | None = None, **payload: Any) -> None:
        """Write one event.

        A payload that lacks a field of its type raises ValueError, a file that somebody else
        changed Problem.
        """
        check_event(type, payload)
        with self._lock:
            now = time.time_ns() // 1_000_000
            event = Event(self.seq, now, self.run, type, self.attempt, stage, payload)
            self.seq += 1
            self._pending.append(event)
            if self._write_pending() and type in _FSYNCED_TYPES:
                os.fsync(self._file)
            unsummarised = self._size - self._summary.kept_offset
            if type in _SUMMARISED_TYPES or unsummarised > TAIL_BYTES:
                self._keep_summary()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Close the file while another process writes it with `same_attempt=True`.

        Afterwards `seq` continues from the last event of that process.
        """
        with self._lock:
            self._write_pending()
            self._keep_summary()
            os.close(self._file)
            try:
                yield
            finally:
                self._file = _open_for_append(self.path)
                self._size, last = _truncate_torn_line(self._file)
                self._summary = SummaryFile(self.path)
                self.seq = last.seq + 1 if last else 0
                # Events the disk had no space for come after those of the other process.
                for position, event in enumerate(self._pending):
                    self._pending[position] = replace(event, seq=self.seq)
                    self.seq += 1

    def close(self) -> None:
        """Write what is pending and close the file."""
        with self._lock:
            try:
                if self._changed is None:
                    self._write_pending()
                    self._keep_summary()
            finally:
                os.close(self._file)

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_unchanged(self) -> None:
        size = os.fstat(self._file).st_size
        if self._changed is None and size != self._size:
            facts = {"file": self.path.name, "was": self._size, "size": size}
            self._changed = Problem("engine.run.events_changed", ExitCode.CONFIG, **facts)
        if self._changed is not None:
            raise self._changed

    def _write_pending(self) -> bool:
        self._check_unchanged()
        while self._pending:
            line = (self._pending[0].to_json() + "\n").encode("utf-8")
            try:
                _write_all(self._file, line)
            except OSError as error:
                os.ftruncate(self._file, self._size)  # no reader may meet half a line
                if not is_disk_full(error):
                    raise
                return False
            self._size += len(line)
            self._written.append(self._pending.popleft())
        return True

    def _keep_summary(self) -> None:
        self._summary.add(self._written, self._size)
        self._written.clear()
        self._summary.keep()


Emit = Callable[..., None]
"""The signature of `EventWriter.emit`: `emit(type, stage=None, **payload)`."""


def _open_for_append(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o644)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _truncate_torn_line(file: int) -> tuple[int, Event | None]:
    """Truncate a partial last line; return the size and the last complete event."""
    size = os.lseek(file, 0, os.SEEK_END)
    start = max(0, size - _TAIL_BYTES)
    os.lseek(file, start, os.SEEK_SET)
    tail = b""
    while piece := os.read(file, _TAIL_BYTES):
        tail += piece
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        size = start + whole
        os.ftruncate(file, size)
    events = (parse_event(line) for line in reversed(tail[:whole].splitlines()))
    return size, next((event for event in events if event is not None), None)
