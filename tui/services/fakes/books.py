"""Made-up books whose doubtful sentences can be redone and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.speech_models import DoubtfulRow, ReadBooksState


class FakeBooks:
    """The doubtful sentences of the world; one that is redone or kept leaves the table."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def list_read(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit what the world has of the voice."""
        self.world.record_call("books", server, voice)
        rows = self.world.doubtful
        books = len({row.folder for row in rows}) or int(self.world.has_read)
        emit(ev.ReadBooksSeen(ReadBooksState(server, voice, books, rows)))

    def fetch_sentence(
        self, server: str, voice: str, row: DoubtfulRow, emit: Emit, cancel: Cancel
    ) -> Path:
        """The path the sentence would have here."""
        self.world.record_call("fetch sentence", row.key)
        return Path("sentences") / f"{row.sentence:06d}.wav"

    def revise(
        self, server: str, voice: str, row: DoubtfulRow, keep: bool, emit: Emit, cancel: Cancel
    ) -> None:
        """Take a kept sentence out, and let a redone one be heard rightly the second time."""
        self.world.record_call("keep" if keep else "redo", row.key)
        emit(ev.RevisionChanged(row.key, True))
        while not self.world.gate.wait(0.01):
            if cancel.is_set():
                return
        emit(ev.RevisionChanged(row.key, False))
        left = [one for one in self.world.doubtful if one.key != row.key]
        if not keep and row.redo == 0:
            left.insert(0, replace(row, redo=1))
        self.world.doubtful, self.world.has_read = tuple(left), True
        self.list_read(server, voice, emit, cancel)
