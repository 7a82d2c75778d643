"""Books on real servers: what voices have read, and their doubtful sentences revised."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.speech.book_reading import BookOnServer, DoubtfulSentence
from sovdeck.remote.speech.book_revision import (
    ReadBook,
    fetch_sentence,
    list_read_books,
    revise,
)
from sovdeck.tui.services.connections import ConnectionRegistry
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.speech_models import DoubtfulRow, ReadBooksState


class LiveBooks:
    """Lists, fetches and revises sentences of the books that were listed last."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections
        self._listed: dict[tuple[str, str, str], ReadBook] = {}

    def list_read(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the books of the voice and their doubtful sentences."""
        found = list_read_books(self._connections.session(server), voice)
        for one in found:
            self._listed[server, voice, one.book.digest] = one
        rows = tuple(to_row(one, sentence) for one in found for sentence in one.doubtful)
        emit(ev.ReadBooksSeen(ReadBooksState(server, voice, len(found), rows)))

    def fetch_sentence(
        self, server: str, voice: str, row: DoubtfulRow, emit: Emit, cancel: Cancel
    ) -> Path:
        """Download a sentence, verified; kept for the next time."""
        session = self._connections.session(server)
        book, sentence = self._find(server, voice, row)
        folder = session.app_paths.data_folder / "sentences"
        return fetch_sentence(session, book, sentence, folder)

    def revise(
        self, server: str, voice: str, row: DoubtfulRow, keep: bool, emit: Emit, cancel: Cancel
    ) -> None:
        """Redo or keep the sentence on the server, then list the books anew."""
        book, _ = self._find(server, voice, row)
        option = f"--keep={row.sentence}" if keep else f"--redo={row.sentence}"
        emit(ev.RevisionChanged(row.key, True))
        try:
            revise(self._connections.session(server), book, option)
        finally:
            emit(ev.RevisionChanged(row.key, False))
        self.list_read(server, voice, emit, cancel)

    def _find(
        self, server: str, voice: str, row: DoubtfulRow
    ) -> tuple[BookOnServer, DoubtfulSentence]:
        read = self._listed.get((server, voice, row.folder))
        for one in () if read is None else read.doubtful:
            if read is not None and one.sentence == row.sentence:
                return read.book, one
        raise Problem("tui.doubtful.gone", ExitCode.CONFIG, number=row.sentence, book=row.book)


def to_row(read: ReadBook, one: DoubtfulSentence) -> DoubtfulRow:
    """A doubtful sentence as the dashboard holds it."""
    return DoubtfulRow(
        read.book.digest,
        read.title,
        one.sentence,
        one.chapter,
        one.start,
        one.doubts,
        one.text,
        one.heard,
        one.redo,
    )
