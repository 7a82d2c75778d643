"""Datasets for real: read and judged on this computer, corrected in place, pushed by content."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from engine.contract.dataset.clip import ClipFacts
from engine.contract.dataset.edits import Edit, apply_edit
from engine.contract.dataset.wav import measure_wav, read_wav
from engine.contract.plan import PlanClip
from engine.contract.problem import ExitCode, Problem
from remote.recordings import gather
from remote.transfer.progress import Progress
from remote.transfer.push import push
from tui.moving import limit, tuning
from tui.services.judging import Found, find_list, judge
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios
from tui.services.telling import moved
from tui.state import events as ev
from tui.state.facts import Remark
from tui.state.work import DatasetReport, Transfer

TELL_EVERY = 25  # recordings between two words about progress
OUTLINE = 200


class LiveDatasets:
    """Remembers what each recording measured, the corrections made, and the last checks."""

    def __init__(self, studios: Studios) -> None:
        self._studios = studios
        self._lock = threading.Lock()  # a check and a correction may be asked for at once
        self._measured: dict[tuple[Path, int, int], ClipFacts | None] = {}
        self._edits: dict[Path, tuple[Edit, ...]] = {}
        self._checked: dict[str, DatasetReport] = {}
        self._session = f"{datetime.now():%Y%m%d-%H%M%S}"

    def check(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        emit(ev.DatasetChecking(str(folder)))
        with self._lock:
            try:
                found = find_list(folder)
                self._judge(found, emit, cancel)
            except Problem as problem:
                why = Remark("bad", problem.message, problem.hint)
                emit(ev.DatasetRefused(str(folder), why))

    def edit(self, folder: Path, edit: Edit, emit: Emit, cancel: Cancel) -> None:
        with self._lock:
            found = find_list(folder)
            apply_edit(found.list_file, edit, self.backup(found.list_file))
            self._edits[found.list_file] = (*self._edits.get(found.list_file, ()), edit)
            self._judge(found, emit, cancel)

    def undo(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        with self._lock:
            found = find_list(folder)
            edits = self._edits.get(found.list_file, ())
            if not edits:
                raise Problem("tui.dataset.nothing_to_undo", ExitCode.DATA)
            apply_edit(found.list_file, edits[-1].undone, self.backup(found.list_file))
            self._edits[found.list_file] = edits[:-1]
            self._judge(found, emit, cancel)

    def backup(self, list_file: Path) -> Path:
        """Where the list as it was before this session's corrections is kept."""
        return list_file.with_name(f"{list_file.name}.{self._session}.bak")

    def outline(self, wav: Path, emit: Emit, cancel: Cancel) -> None:
        try:
            emit(outlined(wav))
        except Problem:  # the clip's own row says what is wrong with it
            emit(ev.ClipOutlined(wav))

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        found = find_list(folder)
        recordings = gather(found.voice, found.list_file, found.wavs)
        studio = self._studios.get(server)
        row = Transfer(f"push:{server}", "push", server, found.voice, total=recordings.bytes)

        def report(progress: Progress) -> None:
            nonlocal row
            row = moved(row, progress)
            emit(ev.TransferChanged(row))

        there = str(studio.layout().dataset(found.voice))
        try:
            push(
                studio.connect, recordings.files, there, report=report, cancel=cancel,
                bandwidth=limit(studio.config), tuning=tuning(studio.config),
            )  # fmt: skip
        except Problem:
            if cancel.is_set():
                return  # what arrived stays staged there; the next push goes on from it
            raise
        emit(ev.TransferChanged(_done(row)))

    def clips(self, voice: str) -> list[PlanClip]:
        """The clips of the last check of `voice`; Problem when there was none."""
        report = self._checked.get(voice)
        if report is None:
            raise Problem("tui.dataset.not_checked", ExitCode.DATA, voice=voice)
        return [PlanClip(facts.seconds) for facts in report.checked.facts.values()]

    def _judge(self, found: Found, emit: Emit, cancel: Cancel) -> None:
        looked = 0

        def measure(path: Path) -> ClipFacts | None:
            nonlocal looked
            stat = path.stat()
            key = (path, stat.st_mtime_ns, stat.st_size)
            if key not in self._measured:
                if cancel.is_set():  # the result is dropped below, so measure no more
                    return None
                looked += 1
                if looked % TELL_EVERY == 0:
                    emit(ev.DatasetChecking(str(found.folder), looked))
                self._measured[key] = measure_wav(path)
            return self._measured[key]

        report = judge(found, measure, self._edits.get(found.list_file, ()))
        if not cancel.is_set():
            self._checked[found.voice] = report
            emit(ev.DatasetChecked(report))


def outlined(wav: Path) -> ev.ClipOutlined:
    """A recording's length and the loudest sample of each of OUTLINE stretches, all channels."""
    sound = read_wav(wav)
    samples, count = sound.samples, len(sound.samples)
    edges = [count * n // OUTLINE for n in range(OUTLINE + 1)]
    parts = [samples[low:high] for low, high in pairwise(edges) if high > low]
    peaks = tuple(min(1.0, max(max(part), -min(part)) / sound.scale) for part in parts)
    return ev.ClipOutlined(wav, count / sound.channels / sound.rate, peaks)


def _done(row: Transfer) -> Transfer:
    # A push verifies every file on the server before it gets its name there.
    return replace(row, state="done", phase="", verified=True, done=row.total or row.done)
