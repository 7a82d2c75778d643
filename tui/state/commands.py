"""UI commands: what a person asks for. Screens post them; the controller handles them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.engine.contract.dataset.edits import LineEdit
from sovdeck.tui.state.models import TrainDraft
from sovdeck.tui.state.rent_models import EndChoice
from sovdeck.tui.state.server_models import ServerDraft
from sovdeck.tui.state.speak_form import SpeakForm
from sovdeck.tui.state.speech_models import (
    AuditionDraft,
    DoubtfulRow,
    ReadingRequest,
    ReferenceUpload,
    SpeakDraft,
)


@dataclass(frozen=True)
class AddServer:
    """Connect to a server and save it."""

    draft: ServerDraft


@dataclass(frozen=True)
class StartPractice:
    """Start the practice server and train a tiny voice on this computer."""


@dataclass(frozen=True)
class RemoveServer:
    """Take a server off the saved list."""

    server: str


@dataclass(frozen=True)
class ListOffers:
    """Ask the providers what can be rented for a voice; "" is the first that is known.

    folder: the dataset that was looked at last, beside deploy.toml's.
    """

    voice: str
    folder: str


@dataclass(frozen=True)
class KeepProviderKey:
    """Keep the key of an account at a provider, once the provider has taken it."""

    provider: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class RentServer:
    """Rent what was offered, train there, bring the voice home, and end the server."""

    offer: str
    end: EndChoice


@dataclass(frozen=True)
class ResumeRental:
    """Go on with the rental of a lease, from where nobody followed it any more."""

    lease: str


@dataclass(frozen=True)
class ListLeases:
    """Ask the providers what is rented."""


@dataclass(frozen=True)
class EndLease:
    """Stop or destroy a rented server. confirmed: a person typed its name."""

    name: str
    action: EndChoice
    confirmed: bool = False


@dataclass(frozen=True)
class Connect:
    """Connect now, also after a refusal."""

    server: str


@dataclass(frozen=True)
class ChooseServer:
    """Make a server the current one."""

    server: str


@dataclass(frozen=True)
class ChooseRun:
    """Show a run."""

    server: str
    run: str


@dataclass(frozen=True)
class ReadRun:
    """Read a run's streams without showing it: for comparing."""

    server: str
    run: str


@dataclass(frozen=True)
class ListDisk:
    """List what lies on a server's disk."""

    server: str


@dataclass(frozen=True)
class CleanDisk:
    """Remove these paths from a server's disk; `named` are only copies whose path was typed."""

    server: str
    paths: tuple[str, ...]
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanDeploy:
    """Plan a deploy; nothing is done."""

    server: str


@dataclass(frozen=True)
class ApplyDeploy:
    """Deploy to a server."""

    server: str


@dataclass(frozen=True)
class CheckDataset:
    """Read and check a dataset folder; `wavs` is where its recordings are, if not beside it."""

    folder: Path
    wavs: Path | None = None


@dataclass(frozen=True)
class ConvertList:
    """Rewrite the folder's list as UTF-8, and check it."""

    folder: Path


@dataclass(frozen=True)
class TranscribeRecordings:
    """Send recordings without a list; the server cuts and writes them down."""

    server: str
    source: Path
    voice: str


@dataclass(frozen=True)
class EditClip:
    """Correct one line of the checked list, and check the list again."""

    folder: Path
    edit: LineEdit


@dataclass(frozen=True)
class UndoEdit:
    """Take back the newest correction of the list."""

    folder: Path


@dataclass(frozen=True)
class ReadWaveform:
    """Read a recording of this computer, to be drawn."""

    wav: Path


@dataclass(frozen=True)
class PushDataset:
    """Upload a dataset folder."""

    server: str
    folder: Path


@dataclass(frozen=True)
class PlanTraining:
    """Estimate time, memory and cost of a run."""

    draft: TrainDraft


@dataclass(frozen=True)
class ListDatasets:
    """List the voices whose recordings lie on a server."""

    server: str


@dataclass(frozen=True)
class ReadWeights:
    """Look which of a preset's pretrained weights a server lacks."""

    server: str
    preset: str


@dataclass(frozen=True)
class FetchWeights:
    """Let a server fetch the pretrained weights that a preset lacks."""

    server: str
    preset: str


@dataclass(frozen=True)
class StartTraining:
    """Start a run."""

    draft: TrainDraft


@dataclass(frozen=True)
class StopRun:
    """Ask a run to save and stop."""

    server: str
    run: str


@dataclass(frozen=True)
class RefreshVoices:
    """List the voices of a server."""

    server: str


@dataclass(frozen=True)
class PullVoice:
    """Download a voice; `community`: also write it as programs of the community keep one."""

    server: str
    voice: str
    community: bool = False


@dataclass(frozen=True)
class CancelTransfer:
    """Stop a transfer; what has arrived is kept."""

    id: str


@dataclass(frozen=True)
class PlaySound:
    """Play a file of this computer instead of what plays.

    `automatic` when nobody pressed a key; `alias` is what to call it when its own name must stay
    hidden.
    """

    path: Path
    automatic: bool = False
    alias: str = ""


@dataclass(frozen=True)
class StopSound:
    """Stop what plays."""


@dataclass(frozen=True)
class ChooseVoice:
    """Make a voice the current one of the Speak and Audition screens."""

    server: str
    voice: str


@dataclass(frozen=True)
class ReadVoiceAssets:
    """List the weights and references of a voice anew."""

    server: str
    voice: str


@dataclass(frozen=True)
class FindMicrophones:
    """Look which microphones this computer has."""


@dataclass(frozen=True)
class RecordReference:
    """Record from one of the microphones, after a countdown."""

    microphones: tuple[str, ...]
    microphone: str


@dataclass(frozen=True)
class StopRecording:
    """End the recording that goes on, and keep it."""


@dataclass(frozen=True)
class MeasureClip:
    """Read a recording of this computer, to be trimmed."""

    clip: Path


@dataclass(frozen=True)
class FetchClipToTrim:
    """Download a reference clip, to be trimmed here."""

    server: str
    voice: str
    clip: str


@dataclass(frozen=True)
class UploadReference:
    """Send a recording of this computer as a reference."""

    server: str
    voice: str
    upload: ReferenceUpload


@dataclass(frozen=True)
class NameReference:
    """Give a reference clip of a server a name that requests may ask for."""

    server: str
    voice: str
    clip: str
    name: str


@dataclass(frozen=True)
class ListReadBooks:
    """List the books that a voice has read on its server."""

    server: str
    voice: str


@dataclass(frozen=True)
class PlaySentence:
    """Play a sentence of a read book that lies on a server."""

    server: str
    voice: str
    row: DoubtfulRow


@dataclass(frozen=True)
class ReviseSentence:
    """Have a sentence of a read book spoken once more another way, or keep it as it is."""

    server: str
    voice: str
    row: DoubtfulRow
    keep: bool


@dataclass(frozen=True)
class PlayReference:
    """Play a reference clip that lies on a server."""

    server: str
    voice: str
    clip: str


@dataclass(frozen=True)
class ReadText:
    """Ask how a text will be read."""

    request: ReadingRequest


@dataclass(frozen=True)
class Speak:
    """Speak a take; `aloud` plays it while it is spoken."""

    draft: SpeakDraft
    aloud: bool = False


@dataclass(frozen=True)
class SpeakWhenListed:
    """Speak what the form holds as soon as the weights of its voice are known."""

    form: SpeakForm
    aloud: bool = False


@dataclass(frozen=True)
class CancelTake:
    """Stop the take of a server."""

    server: str


@dataclass(frozen=True)
class SaveTake:
    """Copy a take into a folder of the person's choice."""

    wav: Path
    folder: Path


@dataclass(frozen=True)
class RecallAudition:
    """Load the last audition of a voice."""

    server: str
    voice: str


@dataclass(frozen=True)
class RenderAudition:
    """Render an audition."""

    draft: AuditionDraft


@dataclass(frozen=True)
class CancelAudition:
    """Stop the rendering of a voice's audition."""

    server: str
    voice: str


@dataclass(frozen=True)
class CastVote:
    """Cell `better` sounded better than cell `worse`."""

    server: str
    voice: str
    better: AuditionCell
    worse: AuditionCell


@dataclass(frozen=True)
class ChoosePair:
    """Choose the pair of weights that is packed."""

    server: str
    voice: str
    gpt: str
    sovits: str


Command = (
    AddServer
    | StartPractice
    | RemoveServer
    | ListOffers
    | KeepProviderKey
    | RentServer
    | ResumeRental
    | ListLeases
    | EndLease
    | Connect
    | ChooseServer
    | ChooseRun
    | ReadRun
    | ListDisk
    | CleanDisk
    | PlanDeploy
    | ApplyDeploy
    | CheckDataset
    | ConvertList
    | ListDatasets
    | TranscribeRecordings
    | EditClip
    | UndoEdit
    | ReadWaveform
    | PushDataset
    | PlanTraining
    | ReadWeights
    | FetchWeights
    | StartTraining
    | StopRun
    | RefreshVoices
    | PullVoice
    | CancelTransfer
    | PlaySound
    | StopSound
    | ChooseVoice
    | ReadVoiceAssets
    | MeasureClip
    | FindMicrophones
    | RecordReference
    | StopRecording
    | FetchClipToTrim
    | UploadReference
    | NameReference
    | ListReadBooks
    | PlaySentence
    | ReviseSentence
    | PlayReference
    | Speak
    | SpeakWhenListed
    | ReadText
    | CancelTake
    | SaveTake
    | RecallAudition
    | RenderAudition
    | CancelAudition
    | CastVote
    | ChoosePair
)

# Commands that change a server, the saved list or a dataset: refused while read-only.
MUTATING_COMMANDS: tuple[type, ...] = (
    AddServer,
    StartPractice,
    RemoveServer,
    KeepProviderKey,
    RentServer,
    ResumeRental,
    EndLease,
    CleanDisk,
    ApplyDeploy,
    EditClip,
    UndoEdit,
    ConvertList,
    TranscribeRecordings,
    PushDataset,
    FetchWeights,
    StartTraining,
    StopRun,
    UploadReference,
    NameReference,
    ReviseSentence,
    ChoosePair,
)
