"""Datasets of this computer: checked here, corrected in place, uploaded by content."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

from sovdeck.engine.contract.dataset.check import check_clips
from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.dataset.edits import LineEdit, apply_edit, replace_line
from sovdeck.engine.contract.dataset.encoding import convert_list
from sovdeck.engine.contract.dataset.foreign_files import read_local_list
from sovdeck.engine.contract.dataset.items import DatasetManifest
from sovdeck.engine.contract.optional_models import WHISPER
from sovdeck.engine.contract.plan import PlanClip, measured_clips
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.preflight.push import check_push
from sovdeck.remote.preflight.weights import FetchProgress, fetch_models, lacking_models
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.remote.voices import transcription as remote_transcription
from sovdeck.remote.voices.clip_measuring import ClipMeasurer
from sovdeck.remote.voices.dataset import push_recordings, select_recordings
from sovdeck.remote.voices.run_spec import planned_run
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.audio.measure_file import load_samples, measure_file
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.converters import with_progress
from sovdeck.tui.services.dataset_check import (
    DatasetFiles,
    check_dataset,
    check_edited_line,
    find_dataset,
)
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import DatasetReport, TranscriptionRow, Transfer
from sovdeck.tui.state.server_models import Remark

PROGRESS_EVERY = 25  # recordings between two progress events
WAVEFORM_PEAKS = 200


class LiveDatasets:
    """Remembers what each recording measured, the corrections made, and the last checks."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections
        self._lock = threading.Lock()  # a check and a correction may be asked for at once
        self._clips = ClipMeasurer(connections.app_paths.clips_folder, measure_file)
        self._edits: dict[Path, tuple[LineEdit, ...]] = {}
        self._checked: dict[str, DatasetReport] = {}
        self._lists: dict[Path, bytes] = {}  # as each list was when it was last checked
        self._wavs: dict[Path, Path] = {}  # where a person said the recordings of a folder are
        self._backup_stamp = f"{datetime.now():%Y%m%d-%H%M%S}"

    def check(self, folder: Path, wavs: Path | None, emit: Emit, cancel: Cancel) -> None:
        """Check a folder; recordings measured before and not changed since are not read again."""
        emit(ev.DatasetChecking(str(folder)))
        with self._lock:
            if wavs is not None:
                self._wavs[folder] = wavs
            try:
                found = find_dataset(folder, self._wavs.get(folder))
                if isinstance(found, DatasetFiles):
                    self._check_list(found, emit, cancel)
                else:
                    emit(ev.BareRecordingsFound(found))
            except Problem as problem:
                why = Remark("bad", problem.message, problem.hint)
                convertible = problem.key == "engine.data.other_encoding"
                emit(ev.DatasetUnreadable(str(folder), why, convertible))

    def convert(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Rewrite the folder's list as UTF-8, after a copy of it, and check it."""
        convert_list(self.find_files(folder).list_file)
        self.check(folder, None, emit, cancel)

    def transcribe(self, server: str, source: Path, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Send bare recordings, let the server write them down, bring the list, check it."""
        session = self._connections.session(server)
        recordings = remote_transcription.find_bare_recordings(voice, source)
        session.require_deployment()
        row = TranscriptionRow(server, voice, recordings=len(recordings.recordings))
        emit(ev.TranscriptionChanged(row))

        def fetched(progress: FetchProgress) -> None:
            model = replace(row, phase="model", have=progress.have, total=progress.total)
            emit(ev.TranscriptionChanged(model))

        def written(progress: remote_transcription.TranscriptionProgress) -> None:
            now = replace(
                row,
                phase="transcribe",
                done=progress.done,
                recordings=progress.recordings,
                clips=progress.clips,
                text=progress.text,
            )
            emit(ev.TranscriptionChanged(now))

        try:
            if lacking_models(session, [WHISPER]):
                fetch_models(session, [WHISPER], report=fetched, cancel=cancel)
                emit(ev.TranscriptionChanged(row))
            report, finish = self._report_transfer(server, voice, recordings.bytes, emit)
            options = TransferOptions.from_config(session.config, report, cancel)
            remote_transcription.push_bare_recordings(session, recordings, options)
            finish()
            quiet = replace(options, report=lambda progress: None)
            remote_transcription.transcribe(session, recordings, quiet, written)
        finally:
            emit(ev.TranscriptionChanged(None))
        self.check(recordings.folder, None, emit, cancel)

    def edit(self, folder: Path, edit: LineEdit, emit: Emit, cancel: Cancel) -> None:
        """Correct a line on disk, after a backup of the list, and check again."""
        with self._lock:
            files = self.find_files(folder)
            apply_edit(files.list_file, edit, self.backup(files.list_file))
            self._edits[files.list_file] = (*self._edits.get(files.list_file, ()), edit)
            self._check_edit(files, edit, emit, cancel)

    def undo(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Take back the newest correction; Problem when there is none."""
        with self._lock:
            files = self.find_files(folder)
            edits = self._edits.get(files.list_file, ())
            if not edits:
                raise Problem("tui.dataset.nothing_to_undo", ExitCode.DATA)
            undone = edits[-1].inverse
            apply_edit(files.list_file, undone, self.backup(files.list_file))
            self._edits[files.list_file] = edits[:-1]
            self._check_edit(files, undone, emit, cancel)

    def backup(self, list_file: Path) -> Path:
        """Where the list as it was before this session's corrections is kept."""
        return list_file.with_name(f"{list_file.name}.{self._backup_stamp}.bak")

    def read_waveform(self, wav: Path, emit: Emit, cancel: Cancel) -> None:
        """Emit the waveform; an empty one where the recording cannot be read."""
        try:
            emit(measure_waveform(wav))
        except Problem:  # the clip's own row shows what is wrong with it
            emit(ev.WaveformRead(wav))

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Upload what the server lacks of the usable clips, verified there."""
        files = self.find_files(folder)
        with self._lock:
            manifest = read_local_list(files.list_file, files.wavs)
            self._measure_all(files, manifest, emit, cancel)
            checked = check_clips(manifest, partial(self._measure, cancel))
        recordings = select_recordings(files.voice, checked)
        session = self._connections.session(server)
        for notice in check_push(session, recordings, planned_run(session, files.voice)):
            emit(ev.NoticeRaised("warning", notice.message, now_ms(), notice.hint))
        report, finish = self._report_transfer(server, files.voice, recordings.bytes, emit)
        try:
            options = TransferOptions.from_config(session.config, report, cancel)
            push_recordings(session, recordings, options)
        except Problem:
            if cancel.is_set():
                return  # what arrived stays staged there; the next push goes on from it
            raise
        finish()

    def _report_transfer(
        self, server: str, voice: str, total: int, emit: Emit
    ) -> tuple[Callable[[TransferProgress], None], Callable[[], None]]:
        """What tells of an upload, and what ends it."""
        row = Transfer(f"push:{server}", "push", server, voice, total=total)

        def report(progress: TransferProgress) -> None:
            nonlocal row
            row = with_progress(row, progress)
            emit(ev.TransferChanged(row))

        def finish() -> None:
            # A push verifies every file on the server before it gets its name there.
            done = row.total or row.done
            ended = replace(row, state="done", phase="", verified=True, done=done)
            emit(ev.TransferChanged(ended))

        return report, finish

    @property
    def measurer(self) -> ClipMeasurer:
        """What measures recordings, and remembers what each measured."""
        return self._clips

    def clips(self, voice: str) -> list[PlanClip]:
        """The clips of the last check of `voice`; Problem when there was none."""
        report = self._checked.get(voice)
        if report is None:
            raise Problem("tui.dataset.not_checked", ExitCode.DATA, voice=voice)
        return measured_clips(report.checked)

    def find_files(self, folder: Path) -> DatasetFiles:
        """The list and the recordings of a folder; Problem where it has no list."""
        found = find_dataset(folder, self._wavs.get(folder))
        if not isinstance(found, DatasetFiles):
            raise Problem("tui.dataset.nothing", ExitCode.DATA, folder=str(folder), count=0)
        return found

    def _check_edit(self, files: DatasetFiles, edit: LineEdit, emit: Emit, cancel: Cancel) -> None:
        """Judge the edited line anew, or the whole list where more than that may have changed."""
        raw, before = self._lists.get(files.list_file), self._checked.get(files.voice)
        now = files.list_file.read_bytes()
        report = None
        if raw is not None and before is not None and replace_line(raw, edit) == now:
            report = check_edited_line(before, edit, self._edits[files.list_file])
        if report is None:
            self._check_list(files, emit, cancel)
            return
        self._lists[files.list_file], self._checked[files.voice] = now, report
        emit(ev.DatasetChecked(report))

    def _check_list(self, files: DatasetFiles, emit: Emit, cancel: Cancel) -> None:
        raw = files.list_file.read_bytes()
        report = check_dataset(
            files,
            partial(self._measure, cancel),
            self._edits.get(files.list_file, ()),
            lambda manifest: self._measure_all(files, manifest, emit, cancel),
        )
        if not cancel.is_set():
            self._lists[files.list_file], self._checked[files.voice] = raw, report
            emit(ev.DatasetChecked(report))

    def _measure_all(
        self, files: DatasetFiles, manifest: DatasetManifest, emit: Emit, cancel: Cancel
    ) -> None:
        """Measure the recordings that were not measured before, or have changed since."""

        def tell(done: int) -> None:
            if done % PROGRESS_EVERY == 0:
                emit(ev.DatasetChecking(str(files.folder), done))

        recordings = [item.wav for item in manifest.items]
        self._clips.measure_all(files.list_file, recordings, tell, cancel.is_set)

    def _measure(self, cancel: Cancel, path: Path) -> ClipMeasurement | None:
        # What was cancelled is not shown, so no more is measured for it.
        return None if cancel.is_set() else self._clips(path)


def measure_waveform(wav: Path) -> ev.WaveformRead:
    """Length and the peak of each of WAVEFORM_PEAKS equal parts, over all channels."""
    sound = load_samples(wav)
    samples, count = sound.samples, len(sound.samples)
    edges = [count * n // WAVEFORM_PEAKS for n in range(WAVEFORM_PEAKS + 1)]
    parts = [samples[low:high] for low, high in pairwise(edges) if high > low]
    peaks = tuple(min(1.0, max(max(part), -min(part)) / sound.scale) for part in parts)
    return ev.WaveformRead(wav, count / sound.channels / sound.rate, peaks)
