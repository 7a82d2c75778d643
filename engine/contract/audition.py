"""What an audition tells: each rendering with its marks, and the place of each pair of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CellKind = Literal["truth", "saved", "base", "cell"]
# How often a sentence may be drawn again when recognition misses words.
MOST_REROLLS = 5


@dataclass(frozen=True)
class AuditionCell:
    """One rendering, or what it is compared with: the true recording, training's own samples
    (`kind` saved), the untrained base.

    `marks` are the engine's figures beside it, see `engine.speaking.marks`. `file` is its name
    in the audition's folder on the server and `sha256` that of its bytes: a vote is about this
    sound. `total` is how many there will be. `wav` is its file on this computer, once it is here.
    """

    name: str
    kind: CellKind
    sentence: int
    text: str
    gpt: str = ""
    sovits: str = ""
    reference: int = 0
    seconds: float = 0.0
    penalty: float = 0.0
    marks: Mapping[str, float | bool | None] = field(default_factory=dict)
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    total: int = 0
    wav: str | None = None

    @property
    def sound(self) -> str:
        """What a vote names: the cell and the sound that was heard, `NAME@SHA256`."""
        return f"{self.name}@{self.sha256}"


@dataclass(frozen=True)
class Standing:
    """A pair of weights and its place, from marks and votes together; higher scores first.

    `penalty` is the mean over its `cells`.
    """

    gpt: str
    sovits: str
    score: float
    penalty: float
    cells: int
    won: int
    lost: int
