"""What a person asks for. Screens post wishes; only the controller grants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.contract.audition import AuditionCell
from engine.contract.dataset.edits import Edit
from tui.services.protocols import ServerDraft
from tui.state.speak_desk import SpeakDesk
from tui.state.speech import AuditionDraft, Loan, SpeakDraft
from tui.state.work import TrainDraft


@dataclass(frozen=True)
class AddServer:
    draft: ServerDraft


@dataclass(frozen=True)
class TryHere:
    """Start the practice server and train a tiny voice on this computer."""


@dataclass(frozen=True)
class RemoveServer:
    server: str


@dataclass(frozen=True)
class Connect:
    server: str


@dataclass(frozen=True)
class ChooseServer:
    server: str


@dataclass(frozen=True)
class ChooseRun:
    server: str
    run: str


@dataclass(frozen=True)
class ReadRun:
    """Read a run's streams without showing it: for comparing."""

    server: str
    run: str


@dataclass(frozen=True)
class PlanDeploy:
    server: str


@dataclass(frozen=True)
class ApplyDeploy:
    server: str


@dataclass(frozen=True)
class CheckDataset:
    folder: Path


@dataclass(frozen=True)
class EditClip:
    """Correct one line of the checked list, and judge the list again."""

    folder: Path
    edit: Edit


@dataclass(frozen=True)
class UndoEdit:
    """Take back the newest correction of the list."""

    folder: Path


@dataclass(frozen=True)
class OutlineClip:
    """Read a recording of this computer, to be drawn."""

    wav: Path


@dataclass(frozen=True)
class PushDataset:
    server: str
    folder: Path


@dataclass(frozen=True)
class PlanTraining:
    draft: TrainDraft


@dataclass(frozen=True)
class StartTraining:
    draft: TrainDraft


@dataclass(frozen=True)
class StopRun:
    server: str
    run: str


@dataclass(frozen=True)
class RefreshVoices:
    server: str


@dataclass(frozen=True)
class PullVoice:
    server: str
    voice: str


@dataclass(frozen=True)
class CancelTransfer:
    id: str


@dataclass(frozen=True)
class PlaySound:
    """Play a file of this computer instead of what plays.

    `unasked` when nobody pressed a key; `veil` is what to call it when its own name must stay
    hidden.
    """

    path: Path
    unasked: bool = False
    veil: str = ""


@dataclass(frozen=True)
class StopSound:
    pass


@dataclass(frozen=True)
class ChooseVoice:
    server: str
    voice: str


@dataclass(frozen=True)
class ReadShelf:
    """Look again at the weights and references of a voice."""

    server: str
    voice: str


@dataclass(frozen=True)
class MeasureClip:
    clip: Path


@dataclass(frozen=True)
class BringClip:
    """Bring a clip of a server here, to be trimmed."""

    server: str
    voice: str
    clip: str


@dataclass(frozen=True)
class LendClip:
    server: str
    voice: str
    loan: Loan


@dataclass(frozen=True)
class HearReference:
    """Play a clip that lies on a server."""

    server: str
    voice: str
    clip: str


@dataclass(frozen=True)
class Speak:
    draft: SpeakDraft


@dataclass(frozen=True)
class SpeakOnceListed:
    """Speak what lies on this desk as soon as the weights of its voice are known."""

    laid: SpeakDesk


@dataclass(frozen=True)
class CancelTake:
    server: str


@dataclass(frozen=True)
class SaveTake:
    wav: Path
    folder: Path


@dataclass(frozen=True)
class RecallAudition:
    server: str
    voice: str


@dataclass(frozen=True)
class RenderAudition:
    draft: AuditionDraft


@dataclass(frozen=True)
class CancelAudition:
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
    """Let the pack take these two weights."""

    server: str
    voice: str
    gpt: str
    sovits: str


Wish = (
    AddServer
    | TryHere
    | RemoveServer
    | Connect
    | ChooseServer
    | ChooseRun
    | ReadRun
    | PlanDeploy
    | ApplyDeploy
    | CheckDataset
    | EditClip
    | UndoEdit
    | OutlineClip
    | PushDataset
    | PlanTraining
    | StartTraining
    | StopRun
    | RefreshVoices
    | PullVoice
    | CancelTransfer
    | PlaySound
    | StopSound
    | ChooseVoice
    | ReadShelf
    | MeasureClip
    | BringClip
    | LendClip
    | HearReference
    | Speak
    | SpeakOnceListed
    | CancelTake
    | SaveTake
    | RecallAudition
    | RenderAudition
    | CancelAudition
    | CastVote
    | ChoosePair
)

# Wishes that change a server, the saved list or a dataset: refused while read-only.
CHANGING: tuple[type, ...] = (
    AddServer, TryHere, RemoveServer, ApplyDeploy, EditClip, UndoEdit, PushDataset,
    StartTraining, StopRun, LendClip, ChoosePair,
)  # fmt: skip
