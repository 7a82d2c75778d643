"""Recordings without a list: sent, cut and written down on the server, their list brought back.

The work there is a supervised run: when the line drops, the same call finds it again and goes on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.dataset.recordings import (
    AUDIO_SUFFIXES,
    TEXT_SUFFIXES,
    find_recordings,
    is_cut_clip,
)
from sovdeck.engine.contract.layout import Layout, check_voice_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import (
    int_field,
    object_list_field,
    parse_engine_problem,
    parse_object,
    text_field,
)
from sovdeck.remote.ssh.remote_tail import clean_line
from sovdeck.remote.transfer.core.context import cancelled
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.download.files import pull_files
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.remote.transfer.download.small_file import fetch_small_file
from sovdeck.remote.transfer.download.tar_batches import DownloadItem
from sovdeck.remote.transfer.upload.push import PushResult, push
from sovdeck.remote.voices.dataset import list_filename
from sovdeck.remote.voices.transfer_options import TransferOptions

RECORDINGS_FOLDER = "recordings"  # below data/VOICE on the server
CLIPS_FOLDER = "wavs"  # beside the list, there and here
MAX_CLIPS = 100_000
_CLIP_NAME = re.compile(r"wavs/[^/\x00-\x1f\x7f\\]{1,250}\Z")


@dataclass(frozen=True)
class BareRecordings:
    """Recordings of one voice without a list, in a folder or as one file `source`.

    files: local file by its path below data/VOICE on the server, texts beside recordings included.
    """

    voice: str
    source: Path
    files: Mapping[str, Path]

    @property
    def folder(self) -> Path:
        """Where the list and its clips come to lie here."""
        return self.source if self.source.is_dir() else self.source.parent / self.voice

    @property
    def list_file(self) -> Path:
        """The list that is brought back."""
        return self.folder / list_filename(self.voice)

    @property
    def recordings(self) -> tuple[Path, ...]:
        """The sound files alone."""
        return tuple(p for p in self.files.values() if p.suffix.lower() in AUDIO_SUFFIXES)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(path.stat().st_size for path in self.files.values())


@dataclass(frozen=True)
class TranscriptionProgress:
    """Recordings done and in all, clips so far, and the newest clip's text."""

    done: int
    recordings: int
    clips: int
    text: str = ""


@dataclass(frozen=True)
class TranscribedList:
    """The list that came back. `untold` of its clips have no text yet; problems: skipped files."""

    list_file: Path
    clips: int
    untold: int
    problems: tuple[Problem, ...] = ()


@dataclass
class _Written:
    """What the engine's lines said."""

    clips: dict[str, int] = field(default_factory=dict)
    summary: dict[str, Any] | None = None
    problem: Problem | None = None
    last_text: str = ""


def find_bare_recordings(voice: str, source: Path) -> BareRecordings:
    """The recordings of a folder, or one file; Problem when there is none."""
    check_voice_name(voice)
    files: dict[str, Path] = {}
    if source.is_file():
        found, root = [source], source.parent
    else:
        found, root = find_recordings(source), source
        found = [path for path in found if not is_cut_clip(path, source / CLIPS_FOLDER)]
    if not found:
        raise Problem("remote.data.no_recordings", ExitCode.DATA, folder=str(source))
    for path in found:
        beside = (path.with_suffix(suffix) for suffix in TEXT_SUFFIXES)
        for one in (path, *(text for text in beside if text.is_file())):
            files[f"{RECORDINGS_FOLDER}/{one.relative_to(root).as_posix()}"] = one
    return BareRecordings(voice, source, files)


def push_bare_recordings(
    session: ServerSession, recordings: BareRecordings, options: TransferOptions
) -> PushResult:
    """Upload what the server lacks, and the list as it stands here: corrected texts stay."""
    files = dict(recordings.files)
    if recordings.list_file.is_file():
        files[list_filename(recordings.voice)] = recordings.list_file
    return push(
        session.connect,
        files,
        str(session.layout().dataset(recordings.voice)),
        report=options.report,
        cancel=options.cancel,
        bandwidth=options.bandwidth,
        tuning=options.tuning,
    )


def transcribe(
    session: ServerSession,
    recordings: BareRecordings,
    options: TransferOptions,
    on_progress: Callable[[TranscriptionProgress], None],
    *,
    language: str | None = None,
) -> TranscribedList:
    """Cut and write down what was pushed, then bring the list and its clips here.

    Without a recogniser on the server the clips are cut and have no text. A run that is going
    already is followed. Problem when it fails; cancelling ends the following, not the run.
    """
    layout, voice = session.layout(), recordings.voice
    handle = _find_running(session, voice) or _launch(session, voice, language)
    written = _follow(session, handle, on_progress, options)
    if written.problem is not None:
        raise written.problem
    if written.summary is None:
        why = written.last_text[:300] or job_client.fetch_state(session.connection(), handle).why.en
        raise Problem("remote.data.transcription_failed", ExitCode.INTERNAL, why=why)
    _fetch_clips(session, layout, recordings, written.clips, options)
    _fetch_list(session, layout, recordings, written.summary)
    found = map(parse_engine_problem, object_list_field(written.summary, "problems"))
    return TranscribedList(
        recordings.list_file,
        int_field(written.summary, "clips") or 0,
        int_field(written.summary, "untold") or 0,
        tuple(problem for problem in found if problem is not None),
    )


def _launch(session: ServerSession, voice: str, language: str | None) -> job_client.RunHandle:
    deployed = session.require_deployment()
    data = deployed.layout.dataset(voice)
    command = [deployed.python, "-m", "sovdeck.engine", "gather", str(data / RECORDINGS_FOLDER)]
    command += ["--list", str(data / list_filename(voice)), "--speaker", voice]
    command += ["--work", str(deployed.layout.work), "--json"]
    command += ["--language", language] if language else []
    run = f"{_prefix(voice)}{datetime.now():%Y%m%d-%H%M%S-%f}"
    return job_client.launch_job(session.connection(), deployed, run, command)


def _find_running(session: ServerSession, voice: str) -> job_client.RunHandle | None:
    layout = session.layout()
    for state in job_client.list_runs(session.connection(), layout, services=True):
        if state.run_id.startswith(_prefix(voice)) and not state.ended:
            return job_client.make_handle(layout, state.run_id)
    return None


def _prefix(voice: str) -> str:
    # A run id is plain ASCII, a voice's name need not be.
    digest = hashlib.sha256(check_voice_name(voice).encode()).hexdigest()
    return f"{job_client.TRANSCRIPTION_PREFIX}{digest[:8]}-"


def _follow(
    session: ServerSession,
    handle: job_client.RunHandle,
    on_progress: Callable[[TranscriptionProgress], None],
    options: TransferOptions,
) -> _Written:
    """Read the run's log until it ends."""
    written = _Written()
    log = job_client.follow_log(session.connection, handle)
    try:
        for lines in log.batches():
            if options.cancel.is_set():
                raise cancelled()
            progress = None
            for line in lines:
                progress = _take_line(written, line.data) or progress
            if progress is not None:  # one of a batch is enough to see
                on_progress(progress)
    finally:
        log.close()
    return written


def _take_line(written: _Written, line: bytes) -> TranscriptionProgress | None:
    row = parse_object(line)
    if row is None:
        written.last_text = clean_line(line).strip() or written.last_text
        return None
    written.problem = parse_engine_problem(row) or written.problem
    event = row.get("event")
    if event == "clip" and _CLIP_NAME.match(name := text_field(row, "path")):
        if len(written.clips) < MAX_CLIPS:
            written.clips[name] = int_field(row, "bytes") or 0
    elif event == "written":
        written.summary = row
    elif event == "progress":
        done, recordings, clips = (int_field(row, name) or 0 for name in ("done", "of", "clips"))
        return TranscriptionProgress(done, recordings, clips, text_field(row, "text"))
    return None


def _fetch_clips(
    session: ServerSession,
    layout: Layout,
    recordings: BareRecordings,
    clips: Mapping[str, int],
    options: TransferOptions,
) -> None:
    """Bring the cut clips; those that are here stay, since a clip's name holds its digest."""
    taken = filenames.TakenPaths()
    items = []
    for name, size in clips.items():
        file = PurePosixPath(name).name
        if filenames.safe_name(file) != file or not taken.claim(PurePosixPath(name)):
            raise Problem("remote.data.bad_clip_name", ExitCode.DATA, path=name[:120])
        here = recordings.folder / CLIPS_FOLDER / file
        if not (here.is_file() and here.stat().st_size == size):
            items.append(DownloadItem(name, size, here))
    if not items:
        return
    with closing(session.connect()) as first:
        pull_files(
            session.connect,
            str(layout.dataset(recordings.voice)),
            items,
            recordings.folder,
            first=first,
            meter=TransferMeter(),
            report=options.report,
            cancel=options.cancel,
            on_received=lambda item, sha256: options.on_received(item.path, item.size),
            bandwidth=options.bandwidth,
            tuning=options.tuning,
        )


def _fetch_list(
    session: ServerSession, layout: Layout, recordings: BareRecordings, summary: dict[str, Any]
) -> None:
    """Put the list beside its clips; a list that was here before is kept as `.bak`."""
    name = list_filename(recordings.voice)
    incoming = recordings.folder / f".{name}.new"
    with disk_errors(recordings.folder):
        incoming.unlink(missing_ok=True)
    fetch_small_file(
        session.connection,
        str(layout.dataset(recordings.voice) / name),
        incoming,
        size=int_field(summary, "bytes") or 0,
        sha256=text_field(summary, "sha256"),
    )
    with disk_errors(recordings.folder):
        # Recordings with a text of their own stay where they are here.
        there = f"{RECORDINGS_FOLDER}/".encode()
        lines = incoming.read_bytes().splitlines(keepends=True)
        raw = b"".join(line.removeprefix(there) for line in lines)
        incoming.unlink()
        target = recordings.list_file
        if target.is_file() and (before := target.read_bytes()) != raw:
            stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
            write_atomic(target.with_name(f"{name}.{stamp}.bak"), before)
        write_atomic(target, raw)
