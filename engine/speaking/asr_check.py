"""Recognition errors of spoken text: its phones against those that a recogniser finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.heard_phones import HeardSpeech, compare_phones
from sovdeck.engine.speaking.metrics import Recogniser
from sovdeck.engine.speaking.phrases import read_phrase
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.symbols import SYMBOLS

_NOT_COMPARED = frozenset({"!", "?", "…", ",", ".", "-", "_", "[", "]", "SP", "SP2", "SP3", "UNK"})


@dataclass(frozen=True)
class SpeechCheck:
    """What a recogniser understood of one piece of speech, and how it fits the text."""

    transcript: str
    heard: HeardSpeech


def check_speech(
    recogniser: Recogniser,
    samples: np.ndarray,
    text: str,
    language: str,
    lexicon: Lexicon | None = None,
) -> SpeechCheck:
    """Listen to samples (N,) at 32 kHz that should say `text`."""
    transcript = recogniser.transcribe(samples, recogniser_language(language))
    return SpeechCheck(transcript, compare_transcript(text, transcript, language, lexicon))


def compare_transcript(
    text: str, transcript: str, language: str, lexicon: Lexicon | None = None
) -> HeardSpeech:
    """Compare `text` with what was heard, both read in one language mode; error 1 for nothing.

    Phones, not letters, are compared: a recogniser writes 今日 where the text has きょう.
    """
    expected = comparable_phones(text, language, lexicon)
    if not any(char.isalnum() for char in transcript):
        return HeardSpeech(1.0)
    try:
        heard = comparable_phones(transcript, language, lexicon)
    except Problem:  # recognised as something this language cannot read
        return HeardSpeech(1.0)
    return compare_phones(expected, heard, language)


def phone_error(text: str, transcript: str, language: str, lexicon: Lexicon | None = None) -> float:
    """Share of `text`'s phones that differ in `transcript`."""
    return compare_transcript(text, transcript, language, lexicon).error


def recogniser_language(language: str) -> str:
    """A language mode as a recogniser knows it."""
    return language.removeprefix("all_")


def comparable_phones(text: str, language: str, lexicon: Lexicon | None = None) -> list[str]:
    """The phones of a text that a listener tells apart: without marks, tones and pitch."""
    phones = (
        SYMBOLS[number] for number in read_phrase(text, language, lexicon=lexicon).phones.tolist()
    )
    # Pitch marks and tones are the recogniser's guess as much as the speaker's.
    return [phone.rstrip("012345").lower() for phone in phones if phone not in _NOT_COMPARED]
