"""What a voice speaks with: its weight files, and the clips it may imitate."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = re.compile(r"_s(\d+)\.pth\Z")


@dataclass(frozen=True)
class WeightFile:
    """One weight file that can speak; `name` is what the engine lists and accepts."""

    name: str
    epoch: int | None = None
    bytes: int = 0
    version: str = "v2"

    @property
    def step(self) -> int | None:
        """The update it was saved at, where its name says so."""
        found = _STEP.search(self.name)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class ReferenceClip:
    """A recording that a voice may imitate; `path` is what the parameter `ref_audio` takes.

    `score` says how well it suits, None for a person's own. `peaks` are amplitudes for drawing,
    0 to 1. `window` is the segment (start, end) in seconds to keep of one that is too long, None
    where the clip fits as it is. `name` is what a request may call it, `VOICE:NAME`; "" for a
    recording of the dataset. `came_from` is the path on the server of one that was downloaded
    to be trimmed.
    """

    path: str
    text: str
    language: str
    seconds: float
    score: float | None = None
    peaks: tuple[float, ...] = ()
    window: tuple[float, float] | None = None
    bytes: int = 0
    sha256: str = ""
    name: str = ""
    came_from: str = ""
