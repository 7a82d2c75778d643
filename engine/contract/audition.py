"""Results of an audition: each rendering with its metrics, and the ranking of weight pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CellKind = Literal["truth", "saved", "base", "cell"]


@dataclass(frozen=True)
class AuditionCell:
    """One rendering of an audition, or a recording it is compared with.

    `kind` is "cell" for a rendering, "truth" for the true recording, "saved" for a sample that
    training spoke, "base" for the untrained base. `metrics` are those of
    `engine.speaking.metrics`. `file` is its name in the audition's folder on the server and
    `sha256` the digest of its bytes, which a vote refers to. `total` is the number of cells that
    will come. `wav` is the downloaded file on the laptop, None before.
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
    metrics: Mapping[str, float | bool | None] = field(default_factory=dict)
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    total: int = 0
    wav: str | None = None

    @property
    def vote_id(self) -> str:
        """The cell and the bytes that a vote refers to, `NAME@SHA256`."""
        return f"{self.name}@{self.sha256}"


@dataclass(frozen=True)
class Standing:
    """The rank of a weight pair by metrics and votes; a higher score is better.

    `penalty` is the mean over the pair's `cells`; `won` and `lost` count votes.
    """

    gpt: str
    sovits: str
    score: float
    penalty: float
    cells: int
    won: int
    lost: int
