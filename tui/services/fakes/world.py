"""What all the fakes share: the made-up world itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.disk.items import DiskItem
from sovdeck.tui.services.fakes.dataset import FakeDataset
from sovdeck.tui.services.fakes.player import FakePlayer, FakeSoundStream
from sovdeck.tui.state.models import JobStatus, Voice
from sovdeck.tui.state.rent_models import LeaseRow
from sovdeck.tui.state.server_models import Remark, SavedServer
from sovdeck.tui.state.speech_models import AuditionState, DoubtfulRow, VoiceAssetsState

FROZEN_NOW = 1_792_000_000_000  # the time in a world that is not live


@dataclass
class FakeWorld:
    """What the fakes share. Tests change it, then look at what the dashboard shows."""

    live: bool = False
    saved: list[SavedServer] = field(default_factory=list)
    voices: dict[str, tuple[Voice, ...]] = field(default_factory=dict)
    jobs: dict[str, tuple[JobStatus, ...]] = field(default_factory=dict)
    streams: dict[str, list[Event]] = field(default_factory=dict)
    dial_problem: str | None = None  # the answer to any dial: a problem's key, or None
    changed_key_since: str | None = None
    pull_problem: Problem | None = None
    plan_problem: Problem | None = None
    voice_assets: dict[str, VoiceAssetsState] = field(default_factory=dict)
    auditions: dict[str, AuditionState] = field(default_factory=dict)
    disks: dict[str, tuple[DiskItem, ...]] = field(default_factory=dict)
    votes: list[tuple[str, str]] = field(default_factory=list)
    voice_assets_problem: Problem | None = None
    speech_problem: Problem | None = None
    doubtful: tuple[DoubtfulRow, ...] = ()
    has_read: bool = False  # whether a book was read, also one without a doubtful sentence
    reads_texts: bool = False  # whether the server says how it reads a text
    take_notices: tuple[Remark, ...] = ()
    gate: threading.Event = field(default_factory=threading.Event)  # cleared: takes wait
    listing: threading.Event = field(default_factory=threading.Event)  # cleared: voice assets wait
    calls: list[str] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    dataset: FakeDataset = field(default_factory=FakeDataset)
    player: FakePlayer = field(default_factory=FakePlayer)
    open_sound: Callable[[], FakeSoundStream] | None = None  # None: takes are heard once whole
    lacking_weights: frozenset[str] = frozenset()  # versions whose weights no server has
    recording_stopped: threading.Event = field(default_factory=threading.Event)
    has_provider_key: bool = True
    leases: tuple[LeaseRow, ...] = ()
    station: threading.Event = field(default_factory=threading.Event)  # cleared: a rental waits
    datasets: tuple[str, ...] = ()  # voices whose recordings every server has
    bare_recordings: int = 0  # how many its dataset folder holds instead of a list
    reported: set[str] = field(default_factory=set)  # servers whose watch has emitted all it knows

    def now(self) -> int:
        """The time in Unix milliseconds; always the same in a still world."""
        return int(time.time() * 1000) if self.live else FROZEN_NOW

    def record_call(self, *words: str) -> None:
        """Record a call of a service, for tests to look at."""
        self.calls.append(" ".join(words))
