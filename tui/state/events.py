"""Everything that can change the store. Services emit these; `at` is Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.contract.catalogue import Text
from engine.contract.events import Event
from tui.state.facts import Level, LinkState, Remark, SavedServer, ServerFacts, Telemetry
from tui.state.speech import Audition, ReferenceClip, Shelf, Take, TakeState
from tui.state.work import (
    DatasetReport,
    DeployStep,
    JobStatus,
    TrainPlan,
    Transfer,
    TransferState,
    Voice,
)


@dataclass(frozen=True)
class ServersLoaded:
    """The saved list, whole: servers that are not in it are forgotten."""

    servers: tuple[SavedServer, ...]


@dataclass(frozen=True)
class LinkChanged:
    server: str
    link: LinkState
    at: int
    detail: Text | None = None


@dataclass(frozen=True)
class FactsSeen:
    server: str
    facts: ServerFacts
    at: int


@dataclass(frozen=True)
class TelemetrySeen:
    server: str
    sample: Telemetry
    at: int


@dataclass(frozen=True)
class JobSeen:
    job: JobStatus
    at: int


@dataclass(frozen=True)
class RunEvents:
    """Events of one run, in order, from its stream."""

    server: str
    run: str
    events: tuple[Event, ...]
    at: int


@dataclass(frozen=True)
class LogLines:
    """Cleaned lines of a run's log, in order."""

    server: str
    run: str
    lines: tuple[str, ...]
    at: int


@dataclass(frozen=True)
class StreamReopened:
    """A run's streams are read anew from their first byte: the log kept so far is dropped."""

    server: str
    run: str


@dataclass(frozen=True)
class DeployPlanned:
    server: str
    steps: tuple[DeployStep, ...]


@dataclass(frozen=True)
class DeployStepChanged:
    server: str
    step: DeployStep


@dataclass(frozen=True)
class DatasetChecking:
    """A folder is being read; `done` recordings were measured so far."""

    folder: str
    done: int = 0


@dataclass(frozen=True)
class DatasetChecked:
    report: DatasetReport


@dataclass(frozen=True)
class ClipOutlined:
    """A recording of the dataset as heights, 0 to 1; without any where it cannot be read."""

    wav: Path
    seconds: float = 0.0
    peaks: tuple[float, ...] = ()


@dataclass(frozen=True)
class DatasetRefused:
    """The folder could not be read at all."""

    folder: str
    why: Remark


@dataclass(frozen=True)
class PlanMade:
    plan: TrainPlan


@dataclass(frozen=True)
class VoicesSeen:
    """All voices of one server; those not named are gone."""

    server: str
    voices: tuple[Voice, ...]
    at: int


@dataclass(frozen=True)
class TransferChanged:
    transfer: Transfer


@dataclass(frozen=True)
class TransferEnded:
    """A transfer that did not come to its own end: stopped by a problem or by the person."""

    id: str
    state: TransferState
    why: Remark | None = None


@dataclass(frozen=True)
class ShelfSeen:
    """All weights and references of one voice, as the server has them."""

    shelf: Shelf
    at: int


@dataclass(frozen=True)
class ShelfRefused:
    """The weights and references of one voice could not be listed."""

    server: str
    voice: str
    why: Remark


@dataclass(frozen=True)
class VoiceChosen:
    """The voice that the rooms of speaking are about."""

    server: str
    voice: str


@dataclass(frozen=True)
class ClipMeasured:
    """A recording on this computer, read to be trimmed and lent to a server."""

    clip: ReferenceClip


@dataclass(frozen=True)
class TakeChanged:
    take: Take


@dataclass(frozen=True)
class TakeEnded:
    """A take that did not come to its own end: stopped by a problem or by the person."""

    id: str
    state: TakeState
    why: Remark | None = None


@dataclass(frozen=True)
class AuditionChanged:
    audition: Audition


@dataclass(frozen=True)
class AuditionEnded:
    """Nothing is rendered for this voice any more, however it ended."""

    server: str
    voice: str


@dataclass(frozen=True)
class NoticeRaised:
    """Something a person should know; shown as a toast and kept in the list."""

    level: Level
    text: Text
    at: int
    hint: Text = Text("", "")
    server: str | None = None


@dataclass(frozen=True)
class PlaybackChanged:
    """What sounds on this computer now; None is silence."""

    path: Path | None


@dataclass(frozen=True)
class ServerChosen:
    server: str | None


@dataclass(frozen=True)
class RunChosen:
    server: str
    run: str


@dataclass(frozen=True)
class ClockTicked:
    at: int


StoreEvent = (
    ServersLoaded
    | LinkChanged
    | FactsSeen
    | TelemetrySeen
    | JobSeen
    | RunEvents
    | LogLines
    | StreamReopened
    | DeployPlanned
    | DeployStepChanged
    | DatasetChecking
    | DatasetChecked
    | DatasetRefused
    | ClipOutlined
    | PlanMade
    | VoicesSeen
    | TransferChanged
    | TransferEnded
    | ShelfSeen
    | ShelfRefused
    | VoiceChosen
    | ClipMeasured
    | TakeChanged
    | TakeEnded
    | AuditionChanged
    | AuditionEnded
    | NoticeRaised
    | PlaybackChanged
    | ServerChosen
    | RunChosen
    | ClockTicked
)
