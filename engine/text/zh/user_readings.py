"""Readings the user gave, carried through normalisation as private-use placeholders.

A placeholder stands for one character, so that no rule rewrites it, and is afterwards replaced
by the character with its syllable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.zh.normalize import (
    FIRST_PLACEHOLDER,
    LAST_PLACEHOLDER,
    normalize,
    simplify,
)

_PLACEHOLDER = re.compile(f"[{FIRST_PLACEHOLDER}-{LAST_PLACEHOLDER}]")
_MAX_PLACEHOLDERS = ord(LAST_PLACEHOLDER) - ord(FIRST_PLACEHOLDER)


@dataclass(frozen=True)
class GivenText:
    """Normalised text, and the syllables given for some of its characters, by position."""

    text: str
    syllables: dict[int, str] = field(default_factory=dict)


def insert_placeholders(spans: Sequence[LexiconSpan]) -> tuple[str, dict[str, tuple[str, str]]]:
    """Text with placeholders, and the character and syllable of each."""
    given: dict[str, tuple[str, str]] = {}
    parts: list[str] = []
    for span in spans:
        syllables = span.reading.split() if span.reading else []
        if len(syllables) != len(span.text) or len(given) + len(syllables) > _MAX_PLACEHOLDERS:
            parts.append(_PLACEHOLDER.sub("", span.text))
            continue
        for letter, syllable in zip(span.text, syllables, strict=True):
            sign = chr(ord(FIRST_PLACEHOLDER) + len(given))
            given[sign] = (simplify(letter), syllable)
            parts.append(sign)
    return "".join(parts), given


def resolve_placeholders(text: str, given: dict[str, tuple[str, str]]) -> GivenText:
    """Normalise text with placeholders and put the characters back."""
    text = normalize(text)
    syllables = {at: given[sign][1] for at, sign in enumerate(text) if sign in given}
    return GivenText("".join(given[s][0] if s in given else s for s in text), syllables)
