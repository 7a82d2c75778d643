"""Everything that can change the store. Services emit these; `at` is Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.run_summary import RunSummary
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.tui.state.models import (
    BareRecordingsRow,
    DatasetReport,
    DeployStepRow,
    JobStatus,
    TrainPlan,
    TranscriptionRow,
    Transfer,
    TransferState,
    Voice,
    WeightsRow,
)
from sovdeck.tui.state.rent_models import JourneyView, KeyAnswer, LeaseRow, OffersView
from sovdeck.tui.state.server_models import (
    DiskRow,
    Level,
    Remark,
    SavedServer,
    ServerConnectionState,
    ServerSummary,
    Telemetry,
)
from sovdeck.tui.state.speech_models import (
    AuditionState,
    ReadBooksState,
    ReadingRow,
    RecordingRow,
    TakeRow,
    TakeState,
    VoiceAssetsState,
)


@dataclass(frozen=True)
class ServersLoaded:
    """The saved list, whole: servers that are not in it are forgotten."""

    servers: tuple[SavedServer, ...]


@dataclass(frozen=True)
class ConnectionChanged:
    """The connection to a server changed; `detail` says why."""

    server: str
    state: ServerConnectionState
    at: int
    detail: Text | None = None


@dataclass(frozen=True)
class FactsSeen:
    """A probe of a server."""

    server: str
    facts: ServerSummary
    at: int


@dataclass(frozen=True)
class TelemetrySeen:
    """One sample of a server's telemetry."""

    server: str
    sample: Telemetry
    at: int


@dataclass(frozen=True)
class JobSeen:
    """The state of a run's process."""

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
class RunSummarySeen:
    """What the events of one run come to, before its stream is followed from there."""

    server: str
    run: str
    summary: RunSummary
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
    """The steps of a deploy."""

    server: str
    steps: tuple[DeployStepRow, ...]


@dataclass(frozen=True)
class DeployStepChanged:
    """A step of a deploy moved on."""

    server: str
    step: DeployStepRow


@dataclass(frozen=True)
class DiskSeen:
    """What lies on a server's disk and may be removed, by kind, the largest first.

    `now` is its own clock, in Unix seconds.
    """

    server: str
    items: tuple[DiskRow, ...]
    now: int


@dataclass(frozen=True)
class DatasetChecking:
    """A folder is being read; `done` recordings were measured so far."""

    folder: str
    done: int = 0


@dataclass(frozen=True)
class DatasetChecked:
    """A dataset was read and checked."""

    report: DatasetReport


@dataclass(frozen=True)
class WaveformRead:
    """A recording's waveform as peaks, 0 to 1; without any where it cannot be read."""

    wav: Path
    seconds: float = 0.0
    peaks: tuple[float, ...] = ()


@dataclass(frozen=True)
class DatasetUnreadable:
    """The folder could not be read at all; `convertible`: its list is in another encoding."""

    folder: str
    why: Remark
    convertible: bool = False


@dataclass(frozen=True)
class BareRecordingsFound:
    """A folder holds recordings and no list."""

    row: BareRecordingsRow


@dataclass(frozen=True)
class DatasetsSeen:
    """The voices whose recordings lie on a server."""

    server: str
    voices: tuple[str, ...]


@dataclass(frozen=True)
class TranscriptionChanged:
    """A server writes recordings down; None when it is over."""

    row: TranscriptionRow | None


@dataclass(frozen=True)
class RecordingChanged:
    """Microphones were found, or the recording of a reference went on."""

    row: RecordingRow


@dataclass(frozen=True)
class AddServerFailed:
    """A server could not be added; `remark` says why and what to do."""

    server: str
    remark: Remark


@dataclass(frozen=True)
class WeightsSeen:
    """What a preset's pretrained weights lack on a server, or how far their fetching is."""

    weights: WeightsRow


@dataclass(frozen=True)
class PlanMade:
    """A training plan."""

    plan: TrainPlan


@dataclass(frozen=True)
class PlanRefused:
    """A draft cannot be planned yet; `remark` says why and what to do."""

    remark: Remark


@dataclass(frozen=True)
class VoicesSeen:
    """All voices of one server; those not named are gone."""

    server: str
    voices: tuple[Voice, ...]
    at: int


@dataclass(frozen=True)
class TransferChanged:
    """A transfer began or moved on."""

    transfer: Transfer


@dataclass(frozen=True)
class TransferEnded:
    """A transfer that did not finish: stopped by a problem or by the person."""

    id: str
    state: TransferState
    why: Remark | None = None


@dataclass(frozen=True)
class VoiceAssetsSeen:
    """All weights and references of one voice, as the server has them."""

    assets: VoiceAssetsState
    at: int


@dataclass(frozen=True)
class VoiceAssetsUnreadable:
    """The weights and references of one voice could not be listed."""

    server: str
    voice: str
    why: Remark


@dataclass(frozen=True)
class VoiceChosen:
    """The voice that the Speak and Audition screens are about."""

    server: str
    voice: str


@dataclass(frozen=True)
class ClipMeasured:
    """A recording on this computer, read to be trimmed and uploaded as a reference."""

    clip: ReferenceClip


@dataclass(frozen=True)
class ReadBooksSeen:
    """The books that a voice has read, as its server has them."""

    books: ReadBooksState


@dataclass(frozen=True)
class RevisionChanged:
    """A sentence of a book began or ended to be redone or kept."""

    key: str
    working: bool


@dataclass(frozen=True)
class TextRead:
    """A server has said how it reads the text that is being written, or that it cannot."""

    reading: ReadingRow


@dataclass(frozen=True)
class TakeChanged:
    """A take began or got another sentence."""

    take: TakeRow


@dataclass(frozen=True)
class TakeEnded:
    """A take that did not finish: stopped by a problem or by the person."""

    id: str
    state: TakeState
    why: Remark | None = None


@dataclass(frozen=True)
class AuditionChanged:
    """An audition began, got a cell or was ranked."""

    audition: AuditionState


@dataclass(frozen=True)
class AuditionEnded:
    """Nothing is rendered for this voice any more, however it ended."""

    server: str
    voice: str


@dataclass(frozen=True)
class OffersSeen:
    """What can be rented for a voice now, or that it is being asked for."""

    view: OffersView


@dataclass(frozen=True)
class LeasesSeen:
    """All that is rented, as its providers say."""

    leases: tuple[LeaseRow, ...]
    at: int


@dataclass(frozen=True)
class ProviderKeyAnswered:
    """A provider took the key that was typed, or did not."""

    answer: KeyAnswer


@dataclass(frozen=True)
class JourneyChanged:
    """The rental of a server for a voice came further, or ended."""

    view: JourneyView


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
    """What plays on this computer now; None is silence."""

    path: Path | None


@dataclass(frozen=True)
class ServerChosen:
    """The current server."""

    server: str | None


@dataclass(frozen=True)
class RunChosen:
    """The run on show."""

    server: str
    run: str


@dataclass(frozen=True)
class ClockTicked:
    """A second has passed."""

    at: int


StoreEvent = (
    ServersLoaded
    | ConnectionChanged
    | FactsSeen
    | TelemetrySeen
    | JobSeen
    | RunEvents
    | RunSummarySeen
    | LogLines
    | StreamReopened
    | DeployPlanned
    | DeployStepChanged
    | DiskSeen
    | DatasetChecking
    | DatasetChecked
    | DatasetUnreadable
    | BareRecordingsFound
    | DatasetsSeen
    | TranscriptionChanged
    | RecordingChanged
    | WaveformRead
    | PlanMade
    | WeightsSeen
    | AddServerFailed
    | PlanRefused
    | VoicesSeen
    | TransferChanged
    | TransferEnded
    | VoiceAssetsSeen
    | VoiceAssetsUnreadable
    | VoiceChosen
    | ClipMeasured
    | ReadBooksSeen
    | RevisionChanged
    | TextRead
    | TakeChanged
    | TakeEnded
    | AuditionChanged
    | AuditionEnded
    | OffersSeen
    | LeasesSeen
    | ProviderKeyAnswered
    | JourneyChanged
    | NoticeRaised
    | PlaybackChanged
    | ServerChosen
    | RunChosen
    | ClockTicked
)
