"""Readings the user gave, carried through normalisation as private marks.

A mark stands for one character, so no rule can rewrite it, and afterwards says which
character and which syllable it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.text.lexicon import Span
from engine.text.zh.normal import FIRST_GIVEN, LAST_GIVEN, normalize, simplify

_PRIVATE = re.compile(f"[{FIRST_GIVEN}-{LAST_GIVEN}]")
_ROOM = ord(LAST_GIVEN) - ord(FIRST_GIVEN)


@dataclass(frozen=True)
class GivenText:
    """Normalised text, and the syllables given for some of its characters, by position."""

    text: str
    syllables: dict[int, str] = field(default_factory=dict)


def mark(spans: Sequence[Span]) -> tuple[str, dict[str, tuple[str, str]]]:
    """Text with marks, and what each mark stands for: character and syllable."""
    given: dict[str, tuple[str, str]] = {}
    parts: list[str] = []
    for span in spans:
        syllables = span.reading.split() if span.reading else []
        if len(syllables) != len(span.text) or len(given) + len(syllables) > _ROOM:
            parts.append(_PRIVATE.sub("", span.text))
            continue
        for letter, syllable in zip(span.text, syllables, strict=True):
            sign = chr(ord(FIRST_GIVEN) + len(given))
            given[sign] = (simplify(letter), syllable)
            parts.append(sign)
    return "".join(parts), given


def unmark(text: str, given: dict[str, tuple[str, str]]) -> GivenText:
    """Normalise text with marks and put the characters back."""
    text = normalize(text)
    syllables = {at: given[sign][1] for at, sign in enumerate(text) if sign in given}
    return GivenText("".join(given[s][0] if s in given else s for s in text), syllables)
