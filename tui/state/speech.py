"""Speaking and comparing voices, as the dashboard knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.contract.audition import AuditionCell, Standing
from tui.state.facts import Remark

TakeState = Literal["waiting", "speaking", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Weight:
    """One weight file that can speak; `name` is what the engine lists and accepts."""

    name: str
    epoch: int | None = None
    step: int | None = None
    bytes: int = 0


@dataclass(frozen=True)
class ReferenceClip:
    """A recording that a voice may imitate, on the server.

    `peaks` is its outline, 0 to 1, for the waveform. `window` is the stretch in seconds that
    the engine would keep of a clip that is too long, None where the clip fits as it is.
    `came_from` is the path on the server of one that was brought here to be trimmed.
    """

    path: str
    text: str
    language: str
    seconds: float
    score: float | None = None
    peaks: tuple[float, ...] = ()
    window: tuple[float, float] | None = None
    came_from: str = ""


@dataclass(frozen=True)
class Loan:
    """A recording of this computer for a voice to imitate: what is kept, and what it says."""

    clip: Path
    window: tuple[float, float] | None = None
    text: str = ""
    language: str = ""


@dataclass(frozen=True)
class Shelf:
    """What one voice can speak with, oldest weight first and best reference first."""

    server: str
    voice: str
    gpt: tuple[Weight, ...] = ()
    sovits: tuple[Weight, ...] = ()
    references: tuple[ReferenceClip, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.server}/{self.voice}"


@dataclass(frozen=True)
class SpeakDraft:
    """A request as the room has it: `infer` parameters without prefix, only those changed."""

    server: str
    voice: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """One sentence of a take, as soon as it sounds."""

    text: str
    seconds: float
    ended: bool = True
    reused: bool = False
    attempts: int = 1
    error: float | None = None


@dataclass(frozen=True)
class Take:
    """One rendering. `wav` is its file on this computer, there once the take is done.

    `first_audio_s` is how long the first sentence took to arrive.
    """

    id: str
    draft: SpeakDraft
    at: int
    state: TakeState = "waiting"
    pieces: tuple[Piece, ...] = ()
    seconds: float | None = None
    seed: int | None = None
    wav: str | None = None
    first_audio_s: float | None = None
    peaks: tuple[float, ...] = ()
    why: Remark | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def unlisted(self) -> bool:
        """Waits until the server has told which weights there are."""
        return self.state == "waiting" and "gpt_weight" not in self.draft.params


@dataclass(frozen=True)
class AuditionDraft:
    """A grid to be rendered. Empty tuples let the engine choose: newest three, two sentences.

    `rerolls`: how often words that recognition misses are drawn again; 0 asks nobody.
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


@dataclass(frozen=True)
class Audition:
    """One voice's audition. `total` is None until the engine has told the size of the grid."""

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
        return f"{self.server}/{self.voice}"
