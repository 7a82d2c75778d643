"""A book read aloud on a server: a supervised job, followed from here, its files brought here.

What the engine makes lies in `takes/VOICE/books/DIGEST`, by the digest of the book's file; the same
call finds it again, whatever became of this laptop or of the job meanwhile.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.engine_job import EngineJob, find_job, stop_job
from sovdeck.remote.speech.json_lines import (
    int_field,
    number_field,
    object_list_field,
    run_engine_command,
    text_field,
    text_list_field,
)
from sovdeck.remote.transfer.core.progress import Report
from sovdeck.remote.transfer.download.file import pull
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.remote.transfer.download.small_file import fetch_small_file
from sovdeck.remote.transfer.upload.push import push

DOUBTFUL_TABLE = "doubtful.json"
DOUBTFUL_FOLDER = "doubtful"
_INDEX = "index.json"
_CHECK_S = 300.0
_MAX_CHAPTERS = 100_000
_MAX_DOUBTFUL = 100_000
_MAX_DOUBTS = 10  # of one sentence
_SUFFIXES = (".wav", ".mp3", ".srt", ".vtt")
_TITLE_LENGTH = 60


@dataclass(frozen=True)
class BookOnServer:
    """A book's file here, and where it and its reading lie on the server."""

    voice: str
    source: Path
    digest: str
    folder: PurePosixPath

    @classmethod
    def of(cls, session: ServerSession, voice: str, source: Path) -> BookOnServer:
        """Where the reading of this file by this voice lies."""
        digest = file_sha256(source)[:16]
        folder = session.layout().work / "takes" / check_voice_name(voice) / "books" / digest
        return cls(voice, source, digest, folder)

    @property
    def remote_file(self) -> PurePosixPath:
        """The book's own file there."""
        return self.folder / filenames.safe_name(self.source.name)

    @property
    def job_prefix(self) -> str:
        """What the ids of its jobs begin with."""
        return f"{job_client.READING_PREFIX}{self.digest[:8]}-"


@dataclass(frozen=True)
class BookFile:
    """One file of a reading: its name there, which is safe here too."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ChapterOfBook:
    """A chapter that is spoken. `number` is 0 for the file of all chapters."""

    number: int
    of: int
    title: str
    seconds: float
    files: tuple[BookFile, ...]


@dataclass(frozen=True)
class SentenceOfBook:
    """A sentence that is there; `fresh` where it was spoken now."""

    number: int
    of: int
    chapter: int
    seconds: float
    fresh: bool
    attempts: int
    doubts: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class DoubtfulSentence:
    """A sentence to listen to: why, where it is, what it should say and what was understood."""

    sentence: int
    chapter: int
    start: float
    doubts: tuple[str, ...]
    text: str
    heard: str
    redo: int
    wav: BookFile


@dataclass(frozen=True)
class BookIndex:
    """All that is there of a reading. `checked`: a recogniser listened to every sentence."""

    title: str
    checked: bool
    chapters: tuple[ChapterOfBook, ...]
    doubtful: tuple[DoubtfulSentence, ...]


@dataclass(frozen=True)
class BookEnd:
    """The end of a reading: how many sentences were spoken now, and the digest of its index."""

    sentences: int
    fresh: int
    index: BookFile


BookUpdate = SentenceOfBook | ChapterOfBook | BookEnd


def push_book(session: ServerSession, book: BookOnServer, cancel: threading.Event) -> None:
    """Upload the book's file, unless it is there."""
    push(
        session.connect,
        {book.remote_file.name: book.source},
        str(book.folder),
        report=lambda _progress: None,
        cancel=cancel,
    )


def check(session: ServerSession, book: BookOnServer, options: Sequence[str]) -> dict[str, Any]:
    """What the engine says of the book; its Problem where it could not be read aloud.

    options: of `engine read`.
    """
    answers = run_engine_command(
        session.connection(),
        session.require_deployment(),
        [*_command(session, book), *options, "--check"],
        timeout=_CHECK_S,
    )
    return answers[-1] if answers else {}


def start(
    session: ServerSession, book: BookOnServer, options: Sequence[str]
) -> job_client.RunHandle:
    """Start reading; it goes on without this laptop."""
    deployed = session.require_deployment()
    command = [deployed.python, "-m", "sovdeck.engine", *_command(session, book), "--json"]
    run = f"{book.job_prefix}{datetime.now():%Y%m%d-%H%M%S-%f}"
    return job_client.launch_job(
        session.connection(), deployed, run, [*command, *options], queue="join"
    )


def find_running(session: ServerSession, book: BookOnServer) -> job_client.RunHandle | None:
    """The reading of this book that goes on now; None when there is none."""
    return find_job(session, book.job_prefix)


def stop(session: ServerSession, book: BookOnServer) -> bool:
    """Stop reading this book; False when nobody was."""
    return stop_job(session, book.job_prefix)


def follow(session: ServerSession, handle: job_client.RunHandle) -> Iterator[BookUpdate]:
    """Yield what the job tells until it is over; raises the Problem it ended with."""
    job = EngineJob(
        session.connection,
        handle,
        stopped="remote.speak.reading_stopped",
        failed="remote.speak.reading_failed",
    )
    try:
        for row in job.rows():
            update = _parse_update(row)
            if update is not None:
                yield update
    finally:
        job.close()


def fetch_index(session: ServerSession, book: BookOnServer, end: BookEnd, into: Path) -> BookIndex:
    """Download and read the table of all that is there."""
    there = str(book.folder / _INDEX)
    local = into / f".{_INDEX}"
    fetch_small_file(
        session.connection, there, local, size=end.index.bytes, sha256=end.index.sha256
    )
    with disk_errors(local):
        data = local.read_bytes()
        local.unlink()
    try:
        return _parse_index(parse_json_object(data))
    except ValueError as error:
        raise _odd(session) from error


def fetch_chapter(
    session: ServerSession,
    book: BookOnServer,
    chapter: ChapterOfBook,
    into: Path,
    report: Report,
    cancel: threading.Event,
) -> list[Path]:
    """Download the files of a chapter, verified, but for those that are here; their paths."""
    return [
        _fetch(
            session, book.folder / one.name, one, into / _local_name(chapter, one), report, cancel
        )
        for one in chapter.files
    ]


def fetch_doubtful(
    session: ServerSession,
    book: BookOnServer,
    index: BookIndex,
    into: Path,
    report: Report,
    cancel: threading.Event,
) -> Path:
    """Download the sounds of doubtful sentences, and write their table beside; its path.

    Sounds of sentences that are doubtful no longer are removed.
    """
    folder = into / DOUBTFUL_FOLDER
    rows = []
    kept = set()
    for one in index.doubtful:
        local = folder / f"{one.sentence:06d}.wav"
        _fetch(session, book.folder / "sentences" / local.name, one.wav, local, report, cancel)
        kept.add(local.name)
        sound = f"{DOUBTFUL_FOLDER}/{local.name}"
        rows.append({**vars(one), "doubts": list(one.doubts), "wav": sound})
    table = into / DOUBTFUL_TABLE
    with disk_errors(table):
        for path in folder.glob("[0-9]*.wav"):
            if path.name not in kept:
                path.unlink()
        facts = {"title": index.title, "checked": index.checked, "doubtful": rows}
        write_atomic(table, json.dumps(facts, ensure_ascii=False, indent=1).encode())
    return table


def _fetch(
    session: ServerSession,
    there: PurePosixPath,
    file: BookFile,
    local: Path,
    report: Report,
    cancel: threading.Event,
) -> Path:
    with disk_errors(local):
        if local.is_file() and file_sha256(local) == file.sha256:
            return local

    def refuse_another(path: Path) -> None:
        if file_sha256(path) != file.sha256:
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=str(there))

    pull(
        session.connect,
        str(there),
        local.parent,
        report=report,
        cancel=cancel,
        name=local.name,
        accept=refuse_another,
    )
    return local


def _local_name(chapter: ChapterOfBook, file: BookFile) -> str:
    """`003 The Storm.mp3`: files of a folder stand in the order of the book."""
    stem, _, suffix = file.name.partition(".")  # of `003.words.srt` both
    title = chapter.title[:_TITLE_LENGTH].strip(". ")
    return filenames.safe_name(f"{stem} {title}".strip() + f".{suffix}")


def _command(session: ServerSession, book: BookOnServer) -> list[str]:
    work, into = str(session.layout().work), str(book.folder)
    return ["read", book.voice, str(book.remote_file), "--into", into, "--work", work]


def _parse_update(row: Mapping[str, Any]) -> BookUpdate | None:
    event = row.get("event")
    if event == "sentence":
        return SentenceOfBook(
            int_field(row, "number") or 0,
            int_field(row, "of") or 0,
            int_field(row, "chapter") or 0,
            number_field(row, "seconds") or 0.0,
            row.get("fresh") is True,
            int_field(row, "attempts") or 1,
            text_list_field(row, "doubts", _MAX_DOUBTS),
            text_field(row, "text"),
        )
    if event == "chapter":
        return _parse_chapter(row)
    if event == "read":
        index = BookFile(_INDEX, int_field(row, "bytes") or 0, text_field(row, "sha256"))
        return BookEnd(int_field(row, "sentences") or 0, int_field(row, "fresh") or 0, index)
    return None


def _parse_chapter(row: Mapping[str, Any]) -> ChapterOfBook | None:
    files = [_parse_file(one, "name") for one in object_list_field(row, "files", 8)]
    if not files or None in files:
        return None
    return ChapterOfBook(
        int_field(row, "number") or 0,
        int_field(row, "of") or 0,
        text_field(row, "title"),
        number_field(row, "seconds") or 0.0,
        tuple(one for one in files if one is not None),
    )


def _parse_file(row: Mapping[str, Any], field: str) -> BookFile | None:
    """A file of a chapter; None for a name that is not one of ours."""
    name, size, sha256 = text_field(row, field), int_field(row, "bytes"), text_field(row, "sha256")
    safe = filenames.is_safe_name(name) and name.endswith(_SUFFIXES) and name[0].isalnum()
    return BookFile(name, size, sha256) if safe and size is not None and len(sha256) == 64 else None


def _parse_index(data: Mapping[str, Any]) -> BookIndex:
    rows = object_list_field(data, "chapters", _MAX_CHAPTERS)
    chapters = [_parse_chapter({**row, "of": len(rows)}) for row in rows]
    doubtful = [parse_doubtful(row) for row in object_list_field(data, "doubtful", _MAX_DOUBTFUL)]
    return BookIndex(
        text_field(data, "title"),
        data.get("checked") is True,
        tuple(one for one in chapters if one is not None),
        tuple(one for one in doubtful if one is not None),
    )


def parse_doubtful(row: Mapping[str, Any]) -> DoubtfulSentence | None:
    """A row of the table of doubtful sentences; None where it names no file of ours."""
    number = int_field(row, "sentence") or 0
    wav = _parse_file({**row, "wav": f"{number:06d}.wav"}, "wav")
    if wav is None or number < 1:
        return None
    return DoubtfulSentence(
        number,
        int_field(row, "chapter") or 0,
        number_field(row, "start") or 0.0,
        text_list_field(row, "doubts", _MAX_DOUBTS),
        text_field(row, "text"),
        text_field(row, "heard"),
        int_field(row, "redo") or 0,
        wav,
    )


def _odd(session: ServerSession) -> Problem:
    return Problem("remote.speak.odd", ExitCode.INTERNAL, server=session.name, event="read")
