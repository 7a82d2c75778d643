"""Books that a voice has read on a server, revised: a doubtful sentence heard, redone or kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import book_reading
from sovdeck.remote.speech.book_reading import BookOnServer, DoubtfulSentence, parse_doubtful
from sovdeck.remote.speech.json_lines import object_list_field, run_engine_command, text_field
from sovdeck.remote.transfer.download.small_file import fetch_small_file

_LIST_S = 120.0
_MAX_BOOKS = 200


@dataclass(frozen=True)
class ReadBook:
    """A book as it was read so far. `checked`: a recogniser listened to every sentence."""

    book: BookOnServer
    title: str
    checked: bool
    doubtful: tuple[DoubtfulSentence, ...]


def list_read_books(session: ServerSession, voice: str) -> tuple[ReadBook, ...]:
    """The books that the voice has read on the server, the newest first."""
    work = session.layout().work
    rows = run_engine_command(
        session.connection(),
        session.require_deployment(),
        ["books", voice, "--work", str(work)],
        timeout=_LIST_S,
    )
    folder = work / "takes" / check_voice_name(voice) / "books"
    found = []
    for row in rows[:_MAX_BOOKS]:
        name, file = text_field(row, "folder"), text_field(row, "book")
        if filenames.is_safe_name(name) and filenames.is_safe_name(file):
            found.append(_parse_book(BookOnServer(voice, Path(file), name, folder / name), row))
    return tuple(found)


def revise(session: ServerSession, book: BookOnServer, option: str) -> None:
    """Have one sentence redone (`--redo=17`) or kept (`--keep=17`), as the reading began.

    Returns once the files of its chapter are made anew; raises the Problem it ended with.
    """
    if book_reading.find_running(session, book) is not None:
        raise Problem("remote.speak.still_reading", ExitCode.CONFIG, server=session.name)
    handle = book_reading.start(session, book, ["--again", option])
    for _ in book_reading.follow(session, handle):
        pass


def fetch_sentence(
    session: ServerSession, book: BookOnServer, sentence: DoubtfulSentence, folder: Path
) -> Path:
    """Download the sound of a sentence into `folder`, verified; not when it is here."""
    there = book.folder / "sentences" / sentence.wav.name
    local = folder / f"{book.digest}-{sentence.sentence:06d}-{sentence.wav.sha256[:8]}.wav"
    return fetch_small_file(
        session.connection,
        str(there),
        local,
        size=sentence.wav.bytes,
        sha256=sentence.wav.sha256,
    )


def _parse_book(book: BookOnServer, row: Mapping[str, Any]) -> ReadBook:
    doubtful = [parse_doubtful(one) for one in object_list_field(row, "doubtful")]
    return ReadBook(
        book,
        text_field(row, "title") or book.source.name,
        row.get("checked") is True,
        tuple(one for one in doubtful if one is not None),
    )
