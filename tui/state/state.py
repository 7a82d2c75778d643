"""What the dashboard knows: one value, from which everything on screen is drawn.

A topic names a part of it (`servers`, `voices`), or a part and what it is about
(`run:gpu-1/r7`, `log:gpu-1/r7`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sovdeck.engine.contract.series import Series
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import (
    BareRecordingsRow,
    DatasetReport,
    DeployStepRow,
    TrainPlan,
    TranscriptionRow,
    Transfer,
    Voice,
    WeightsRow,
)
from sovdeck.tui.state.rent_models import JourneyView, KeyAnswer, LeaseRow, OffersView
from sovdeck.tui.state.runs import RunKey, RunView
from sovdeck.tui.state.server_models import Remark, ServerState
from sovdeck.tui.state.speech_models import (
    AuditionState,
    ReadBooksState,
    ReadingRow,
    RecordingRow,
    TakeRow,
    VoiceAssetsState,
)

Topics = frozenset[str]
"""What changed: screens redraw only what they show of it."""


@dataclass(frozen=True)
class State:
    """Everything on screen is drawn from this value."""

    now: int = 0
    servers: Mapping[str, ServerState] = field(default_factory=dict)
    history: Mapping[str, Mapping[str, Series]] = field(default_factory=dict)
    runs: Mapping[RunKey, RunView] = field(default_factory=dict)
    disks: Mapping[str, ev.DiskSeen] = field(default_factory=dict)
    deploys: Mapping[str, tuple[DeployStepRow, ...]] = field(default_factory=dict)
    voices: Mapping[str, tuple[Voice, ...]] = field(default_factory=dict)
    voices_at: Mapping[str, int] = field(default_factory=dict)
    transfers: Mapping[str, Transfer] = field(default_factory=dict)
    voice_assets: Mapping[str, VoiceAssetsState] = field(default_factory=dict)
    voice_assets_errors: Mapping[str, Remark] = field(default_factory=dict)
    reading: ReadingRow | None = None
    read_books: ReadBooksState | None = None
    takes: Mapping[str, TakeRow] = field(default_factory=dict)
    auditions: Mapping[str, AuditionState] = field(default_factory=dict)
    voice: tuple[str, str] | None = None
    clip: ReferenceClip | None = None
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recording: RecordingRow | None = None
    dataset: DatasetReport | None = None
    checking: ev.DatasetChecking | None = None
    dataset_error: ev.DatasetUnreadable | None = None
    bare_recordings: BareRecordingsRow | None = None
    transcription: TranscriptionRow | None = None
    waveform: ev.WaveformRead | None = None
    plan: TrainPlan | None = None
    plan_refused: Remark | None = None  # why there is no plan
    weights: WeightsRow | None = None
    add_failed: ev.AddServerFailed | None = None
    offers: OffersView = OffersView()  # noqa: RUF009 - frozen
    leases: tuple[LeaseRow, ...] = ()
    leases_at: int | None = None
    key_answer: KeyAnswer | None = None
    journey: JourneyView | None = None
    playing: Path | None = None
    notices: tuple[ev.NoticeRaised, ...] = ()
    server: str | None = None
    run: RunKey | None = None
    run_pinned: bool = False

    @property
    def chosen_server(self) -> ServerState | None:
        """The current server."""
        return self.servers.get(self.server) if self.server else None

    @property
    def chosen_run(self) -> RunView | None:
        """The run on show."""
        return self.runs.get(self.run) if self.run else None

    def all_voices(self) -> tuple[Voice, ...]:
        """The voices of all servers."""
        return tuple(voice for voices in self.voices.values() for voice in voices)

    def runs_of(self, server: str) -> tuple[RunView, ...]:
        """The runs of one server."""
        return tuple(run for run in self.runs.values() if run.server == server)


StateChange = tuple[State, set[str]]
"""A new state and the topics in which it differs."""


def run_topic(key: RunKey) -> str:
    """The topic of one run."""
    return f"run:{key[0]}/{key[1]}"


def log_topic(key: RunKey) -> str:
    """The topic of one run's log."""
    return f"log:{key[0]}/{key[1]}"
