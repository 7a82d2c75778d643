"""Keeps `summary.json` beside the events of a run; see `sovdeck.engine.contract.run_summary`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from sovdeck.engine.contract.atomic_io import is_disk_full, write_atomic
from sovdeck.engine.contract.events import Event, parse_event
from sovdeck.engine.contract.run_summary import SUMMARY_POINTS, RunSummary, parse_summary

# The summary is written again once so many bytes of events followed it: more would make every
# reader slow, less would cost the training time.
TAIL_BYTES = 1 << 17
_CHUNK_BYTES = 1 << 20
_LINE_BYTES = 1 << 18  # a line is far shorter than this


class SummaryFile:
    """The summary of one events file, and where it is kept. One thread at a time.

    Several processes may keep the same one: each replaces it in one step by what is true up to
    its own offset.
    """

    def __init__(self, events: Path) -> None:
        """Read what is kept, and the events that came after it.

        kept_offset: up to where the file on the disk knows them, in bytes.
        """
        self._events = events
        self.path = events.with_name("summary.json")
        self.summary = RunSummary()
        self.kept_offset = 0
        self._catch_up()

    def add(self, events: Iterable[Event], offset: int) -> None:
        """Take events that were just written; `offset` is where they end in the file."""
        self.summary = self.summary.with_events(events, offset)

    def keep(self) -> None:
        """Replace the file. On a full disk it stays as it was: the events are the truth."""
        try:
            write_atomic(self.path, self.summary.to_json().encode("utf-8"), durable=False)
        except OSError as error:
            if not is_disk_full(error):
                raise
            return
        self.kept_offset = self.summary.offset

    def _catch_up(self) -> None:
        try:
            file = self._events.open("rb")
        except FileNotFoundError:
            return
        with file:
            kept = self._read_kept()
            if kept is not None and _ends_there(file, kept):
                self.summary, self.kept_offset = kept, kept.offset
            file.seek(self.summary.offset)
            offset = self.summary.offset
            # Whole lines only: one may be half written.
            while lines := [line for line in file.readlines(_CHUNK_BYTES) if line.endswith(b"\n")]:
                offset += sum(map(len, lines))
                found = (parse_event(line) for line in lines)
                self.add((event for event in found if event is not None), offset)

    def _read_kept(self) -> RunSummary | None:
        try:
            return parse_summary(self.path.read_bytes(), SUMMARY_POINTS)
        except FileNotFoundError:
            return None


def read_summary(events: Path) -> RunSummary:
    """The summary of all events up to now; it is kept where it had to be made or grew long."""
    file = SummaryFile(events)
    if file.summary.offset - file.kept_offset > TAIL_BYTES:
        file.keep()
    return file.summary


def _ends_there(file: BinaryIO, summary: RunSummary) -> bool:
    """Whether the event that the summary saw last ends at its offset: the file is the same one."""
    if not summary.complete or summary.offset > os.fstat(file.fileno()).st_size:
        return False
    start = max(0, summary.offset - _LINE_BYTES)
    file.seek(start)
    lines = file.read(summary.offset - start).splitlines()
    last = parse_event(lines[-1]) if lines else None
    return last is not None and last.seq == summary.state.seq
