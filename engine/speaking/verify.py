"""Whether the words came out: what was heard against what was written, both as phones."""

from __future__ import annotations

import numpy as np

from engine.contract.problem import Problem
from engine.speaking.marks import Recogniser, edit_distance
from engine.speaking.phrases import read
from engine.text.lexicon import Lexicon
from engine.text.symbols import SYMBOLS

# Above this share of wrong phones a piece is spoken again: a lost word of a ten-word sentence
# is a tenth, and a recogniser mishears a few per cent of good speech.
LARGEST_ERROR = 0.15

_MARKS = frozenset({"!", "?", "…", ",", ".", "-", "_", "[", "]", "SP", "SP2", "SP3", "UNK"})


def spoken_error(
    recogniser: Recogniser,
    samples: np.ndarray,
    text: str,
    language: str,
    lexicon: Lexicon | None = None,
) -> float:
    """Share of wrong phones in samples (N,) at 32 kHz; 1.0 when nothing was understood.

    Phones, not letters, are compared: a recogniser writes 今日 where the text has きょう.
    """
    return phone_error(text, recogniser.transcribe(samples, plain(language)), language, lexicon)


def phone_error(text: str, heard: str, language: str, lexicon: Lexicon | None = None) -> float:
    """Share of `text`'s phones that differ in `heard`, both read by one language mode."""
    expected = _sounds(text, language, lexicon)
    if not any(char.isalnum() for char in heard) or not expected:
        return 1.0
    try:
        spoken = _sounds(heard, language, lexicon)
    except Problem:  # heard as something this language cannot read: not what was written
        return 1.0
    return edit_distance(expected, spoken) / len(expected)


def plain(language: str) -> str:
    """A language mode as a recogniser knows it."""
    return language.removeprefix("all_")


def _sounds(text: str, language: str, lexicon: Lexicon | None) -> list[str]:
    phones = (SYMBOLS[number] for number in read(text, language, lexicon=lexicon).phones.tolist())
    # Pitch marks and tones are the recogniser's guess as much as the speaker's.
    return [phone.rstrip("012345").lower() for phone in phones if phone not in _MARKS]
