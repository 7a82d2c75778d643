"""Speaking and comparing voices, as the dashboard knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sovdeck.engine.contract.audition import AuditionCell, Standing
from sovdeck.engine.contract.voice_assets import ReferenceClip, WeightFile
from sovdeck.tui.state.server_models import Remark

TakeState = Literal["waiting", "speaking", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class ReferenceUpload:
    """A recording of this computer to upload as a reference: the kept window and its text."""

    clip: Path
    window: tuple[float, float] | None = None
    text: str = ""
    language: str = ""


RecordingPhase = Literal["searching", "idle", "countdown", "recording", "done", "failed"]


@dataclass(frozen=True)
class RecordingRow:
    """A reference that is recorded here. `left` seconds of the countdown; `wav` once it is done."""

    microphones: tuple[str, ...] = ()
    phase: RecordingPhase = "searching"
    left: int = 0
    seconds: float = 0.0
    level_db: float = -120.0
    wav: Path | None = None
    why: Remark | None = None


@dataclass(frozen=True)
class VoiceAssetsState:
    """What one voice can speak with, oldest weight first and best reference first."""

    server: str
    voice: str
    gpt: tuple[WeightFile, ...] = ()
    sovits: tuple[WeightFile, ...] = ()
    references: tuple[ReferenceClip, ...] = ()

    @property
    def key(self) -> str:
        """The voice's key in the state: `server/voice`."""
        return f"{self.server}/{self.voice}"


@dataclass(frozen=True)
class DoubtfulRow:
    """A sentence of a read book that a person should hear: where, why, and what was understood.

    `folder` is its book's on the server; `start` in seconds within the chapter's sound.
    """

    folder: str
    book: str
    sentence: int
    chapter: int
    start: float
    doubts: tuple[str, ...]
    text: str
    heard: str
    redo: int = 0

    @property
    def key(self) -> str:
        """The row's key in a table."""
        return f"{self.folder}/{self.sentence}"


@dataclass(frozen=True)
class ReadBooksState:
    """The books that one voice has read: how many, and their doubtful sentences.

    `working` holds the keys of sentences that are being redone or kept now.
    """

    server: str
    voice: str
    books: int = 0
    doubtful: tuple[DoubtfulRow, ...] = ()
    working: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SpeakDraft:
    """A request: `infer` parameters without prefix, only those that were changed."""

    server: str
    voice: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadingRequest:
    """A text that is being written, to be read by the server of its voice."""

    server: str
    voice: str
    text: str
    language: str


@dataclass(frozen=True)
class ReadingRow:
    """How a server reads a text: pieces (language, plain writing), lost (character, index).

    `pieces` None: the server could not say.
    """

    request: ReadingRequest
    pieces: tuple[tuple[str, str], ...] | None = None
    lost: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class TakeSentence:
    """One sentence of a take, as soon as its sound has arrived."""

    text: str
    seconds: float
    ended: bool = True
    reused: bool = False
    attempts: int = 1
    error: float | None = None


@dataclass(frozen=True)
class TakeRow:
    """One rendering. `wav` is its file on this computer, there once the take is done.

    `first_audio_s` is how long the first sentence took to arrive. `notices` is what a person
    should know of a take that was spoken, as characters without a sound. `aloud`: it is heard
    while it is spoken, and needs not be played once it is done.
    """

    id: str
    draft: SpeakDraft
    at: int
    state: TakeState = "waiting"
    sentences: tuple[TakeSentence, ...] = ()
    seconds: float | None = None
    seed: int | None = None
    wav: str | None = None
    first_audio_s: float | None = None
    peaks: tuple[float, ...] = ()
    why: Remark | None = None
    notices: tuple[Remark, ...] = ()
    aloud: bool = False

    @property
    def ended(self) -> bool:
        """Whether the take is over."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def awaits_weights(self) -> bool:
        """Whether the take waits until the server has listed its weights."""
        return self.state == "waiting" and "gpt_weight" not in self.draft.params


@dataclass(frozen=True)
class AuditionDraft:
    """A grid to be rendered. Empty tuples let the engine choose: newest three, two sentences.

    `rerolls`: how often a sentence that recognition misses is drawn again; 0 does not check.
    `queue`: render once the runs before it have ended. `pitch`: semitones, in every rendering.
    """

    server: str
    voice: str
    gpt: tuple[str, ...] = ()
    sovits: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    text_language: str = "auto"
    references: int = 1
    seed: int = 1234
    rerolls: int = 0
    queue: bool = False
    pitch: float = 0.0


@dataclass(frozen=True)
class AuditionState:
    """One voice's audition. `total` is None until the engine has sent the size of the grid."""

    server: str
    voice: str
    cells: tuple[AuditionCell, ...] = ()
    total: int | None = None
    running: bool = False
    standings: tuple[Standing, ...] = ()
    votes: int = 0
    stale: int = 0
    chosen: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """The voice's key in the state: `server/voice`."""
        return f"{self.server}/{self.voice}"
