"""A part of a text with the reading that a person gave it; what every front end takes in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LexiconSpan:
    """A part of a text from `start` on, with the reading the user gave it or None."""

    text: str
    reading: str | None = None
    start: int = field(default=0, compare=False)
