"""Recognition errors of spoken text: its phones against those that a recogniser finds."""

from __future__ import annotations

import numpy as np

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.metrics import Recogniser, edit_distance
from sovdeck.engine.speaking.phrases import read_phrase
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.symbols import SYMBOLS

# Above this share of wrong phones a chunk is spoken again: a lost word of a ten-word sentence
# is a tenth, and a recogniser mishears a few per cent of good speech.
MAX_PHONE_ERROR = 0.15

_NOT_COMPARED = frozenset({"!", "?", "…", ",", ".", "-", "_", "[", "]", "SP", "SP2", "SP3", "UNK"})


def recognised_phone_error(
    recogniser: Recogniser,
    samples: np.ndarray,
    text: str,
    language: str,
    lexicon: Lexicon | None = None,
) -> float:
    """Share of wrong phones in samples (N,) at 32 kHz; 1.0 when nothing was understood.

    Phones, not letters, are compared: a recogniser writes 今日 where the text has きょう.
    """
    return phone_error(
        text, recogniser.transcribe(samples, recogniser_language(language)), language, lexicon
    )


def phone_error(text: str, transcript: str, language: str, lexicon: Lexicon | None = None) -> float:
    """Share of `text`'s phones that differ in `transcript`, both read by one language mode."""
    expected = _comparable_phones(text, language, lexicon)
    if not any(char.isalnum() for char in transcript) or not expected:
        return 1.0
    try:
        spoken = _comparable_phones(transcript, language, lexicon)
    except Problem:  # recognised as something this language cannot read
        return 1.0
    return edit_distance(expected, spoken) / len(expected)


def recogniser_language(language: str) -> str:
    """A language mode as a recogniser knows it."""
    return language.removeprefix("all_")


def _comparable_phones(text: str, language: str, lexicon: Lexicon | None) -> list[str]:
    phones = (
        SYMBOLS[number] for number in read_phrase(text, language, lexicon=lexicon).phones.tolist()
    )
    # Pitch marks and tones are the recogniser's guess as much as the speaker's.
    return [phone.rstrip("012345").lower() for phone in phones if phone not in _NOT_COMPARED]
