"""The writer of `events.jsonl`: one JSON object a line, in order, and never half a line."""

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

from engine.contract.events import Event, check, parse
from engine.runtime.durable import is_no_space

_TAIL = 1 << 18  # a line is far shorter than this
_DURABLE = frozenset({"checkpoint", "export", "run_finished", "error"})


class Journal:
    """Appends events to one file. Safe to use from several threads; one process only.

    `seq` goes on over attempts: opening cuts off a line that a dying writer left torn and
    counts on from the last whole one. When the disk is full, lines wait in memory and follow
    in order once there is space again; nothing is lost while the process lives.
    """

    def __init__(self, path: Path, run: str, *, same_attempt: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = _open(path)
        self._size, last = _repair(self._file)
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()
        self.run = run
        self.seq = last.seq + 1 if last else 0
        before = last.attempt if last else 0
        self.attempt = before if same_attempt and last else before + 1

    def emit(self, type: str, stage: str | None = None, **payload: Any) -> None:
        """Write one event. A payload that lacks a field of its type raises ValueError."""
        check(type, payload)
        with self._lock:
            now = time.time_ns() // 1_000_000
            event = Event(self.seq, now, self.run, type, self.attempt, stage, payload)
            self.seq += 1
            self._waiting.append(event)
            if self._write_waiting() and type in _DURABLE:
                os.fsync(self._file)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let another process write meanwhile (`same_attempt=True`); then count on from it."""
        with self._lock:
            self._write_waiting()
            os.close(self._file)
            try:
                yield
            finally:
                self._file = _open(self.path)
                self._size, last = _repair(self._file)
                self.seq = last.seq + 1 if last else 0
                # What the disk had no space for before comes after what the other one wrote.
                for place, event in enumerate(self._waiting):
                    self._waiting[place] = replace(event, seq=self.seq)
                    self.seq += 1

    @property
    def waiting(self) -> int:
        """Lines the disk has had no space for."""
        return len(self._waiting)

    def close(self) -> None:
        with self._lock:
            self._write_waiting()
            os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_waiting(self) -> bool:
        while self._waiting:
            line = (self._waiting[0].line() + "\n").encode("utf-8")
            try:
                _write_all(self._file, line)
            except OSError as error:
                os.ftruncate(self._file, self._size)  # no reader may meet half a line
                if not is_no_space(error):
                    raise
                return False
            self._size += len(line)
            self._waiting.popleft()
        return True


Emit = Callable[..., None]
"""The signature of `Journal.emit`: `emit(type, stage=None, **payload)`."""


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o644)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _repair(file: int) -> tuple[int, Event | None]:
    """Cut a torn last line off; return the size and the last whole event."""
    size = os.lseek(file, 0, os.SEEK_END)
    start = max(0, size - _TAIL)
    os.lseek(file, start, os.SEEK_SET)
    tail = b""
    while piece := os.read(file, _TAIL):
        tail += piece
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        size = start + whole
        os.ftruncate(file, size)
    events = (parse(line) for line in reversed(tail[:whole].splitlines()))
    return size, next((event for event in events if event is not None), None)
