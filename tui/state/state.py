"""What the dashboard knows: one value, from which everything on screen is drawn.

A topic is a plain word (`servers`, `voices`) or a word and the thing it is about
(`run:gpu-1/r7`, `log:gpu-1/r7`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tui.state import events as ev
from tui.state.facts import Remark, ServerState
from tui.state.runs import RunKey, RunView
from tui.state.series import Series
from tui.state.speech import Audition, ReferenceClip, Shelf, Take
from tui.state.work import DatasetReport, DeployStep, TrainPlan, Transfer, Voice

Topics = frozenset[str]
"""What changed: screens redraw only what they show of it."""


@dataclass(frozen=True)
class State:
    """Everything on screen is drawn from this value."""

    now: int = 0
    servers: Mapping[str, ServerState] = field(default_factory=dict)
    history: Mapping[str, Mapping[str, Series]] = field(default_factory=dict)
    runs: Mapping[RunKey, RunView] = field(default_factory=dict)
    deploys: Mapping[str, tuple[DeployStep, ...]] = field(default_factory=dict)
    voices: Mapping[str, tuple[Voice, ...]] = field(default_factory=dict)
    voices_at: Mapping[str, int] = field(default_factory=dict)
    transfers: Mapping[str, Transfer] = field(default_factory=dict)
    shelves: Mapping[str, Shelf] = field(default_factory=dict)
    unlisted: Mapping[str, Remark] = field(default_factory=dict)
    takes: Mapping[str, Take] = field(default_factory=dict)
    auditions: Mapping[str, Audition] = field(default_factory=dict)
    voice: tuple[str, str] | None = None
    clip: ReferenceClip | None = None
    dataset: DatasetReport | None = None
    checking: ev.DatasetChecking | None = None
    dataset_refused: Remark | None = None
    outline: ev.ClipOutlined | None = None
    plan: TrainPlan | None = None
    playing: Path | None = None
    notices: tuple[ev.NoticeRaised, ...] = ()
    server: str | None = None
    run: RunKey | None = None
    run_pinned: bool = False

    @property
    def chosen_server(self) -> ServerState | None:
        return self.servers.get(self.server) if self.server else None

    @property
    def chosen_run(self) -> RunView | None:
        return self.runs.get(self.run) if self.run else None

    def all_voices(self) -> tuple[Voice, ...]:
        return tuple(voice for voices in self.voices.values() for voice in voices)

    def runs_of(self, server: str) -> tuple[RunView, ...]:
        return tuple(run for run in self.runs.values() if run.server == server)


Changed = tuple[State, set[str]]
"""A new state and the topics in which it differs."""


def run_topic(key: RunKey) -> str:
    return f"run:{key[0]}/{key[1]}"


def log_topic(key: RunKey) -> str:
    return f"log:{key[0]}/{key[1]}"
