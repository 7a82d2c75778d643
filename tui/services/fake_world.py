"""What all the fakes share: the made-up world itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from engine.contract.events import Event
from engine.contract.problem import Problem
from tui.services.fake_dataset import FakeDataset
from tui.services.fake_player import FakePlayer
from tui.state.facts import SavedServer
from tui.state.speech import Audition, Shelf
from tui.state.work import JobStatus, Voice

MOMENT = 1_792_000_000_000  # when the still world stands


@dataclass
class FakeWorld:
    """What the fakes share. Tests change it, then look at what the dashboard shows."""

    live: bool = False
    saved: list[SavedServer] = field(default_factory=list)
    voices: dict[str, tuple[Voice, ...]] = field(default_factory=dict)
    jobs: dict[str, tuple[JobStatus, ...]] = field(default_factory=dict)
    streams: dict[str, list[Event]] = field(default_factory=dict)
    refused: str | None = None  # the answer to any dial: a problem's key, or None
    changed_key_since: str | None = None
    pull_problem: Problem | None = None
    shelves: dict[str, Shelf] = field(default_factory=dict)
    auditions: dict[str, Audition] = field(default_factory=dict)
    votes: list[tuple[str, str]] = field(default_factory=list)
    shelf_problem: Problem | None = None
    speech_problem: Problem | None = None
    gate: threading.Event = field(default_factory=threading.Event)  # cleared: takes wait
    listing: threading.Event = field(default_factory=threading.Event)  # cleared: shelves wait
    calls: list[str] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    dataset: FakeDataset = field(default_factory=FakeDataset)
    player: FakePlayer = field(default_factory=FakePlayer)
    told: set[str] = field(default_factory=set)  # watches that have told all they know

    def now(self) -> int:
        return int(time.time() * 1000) if self.live else MOMENT

    def call(self, *words: str) -> None:
        self.calls.append(" ".join(words))
