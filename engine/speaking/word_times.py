"""When each word of a sentence is said, by a recogniser that tells when it heard its own words.

The recogniser's words are not ours: it mishears, and writes 今日 where the text has きょう. Letters
that both have in the same order carry the times over; what lies between them is divided by length.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol, runtime_checkable

import numpy as np

# With fewer letters heard as they are written, the times would be guesses.
_LEAST_HEARD = 0.6


@dataclass(frozen=True)
class WordTime:
    """A word, and the seconds from the beginning of its sound at which it begins and ends."""

    text: str
    start: float
    end: float


@runtime_checkable
class WordRecogniser(Protocol):
    """Speech to words with their times: samples (N,) float32 at 32 kHz, a plain language."""

    def transcribe_words(self, samples: np.ndarray, language: str, /) -> Sequence[WordTime]:
        """Recognise the speech; "auto" detects the language."""
        ...


def align_words(text: str, heard: Sequence[WordTime], seconds: float) -> tuple[WordTime, ...]:
    """The words of `text`, spoken in `seconds`, at the times of what was heard; () if it differs.

    Together they are the text, without the space around words. Where a script has no spaces, the
    recogniser's own words are the units.
    """
    wanted = [(at, letter) for at, char in enumerate(text) for letter in _letters(char)]
    sounds = [
        (number, place / count, (place + 1) / count, letter)
        for number, word in enumerate(heard)
        for letters in [[one for char in word.text for one in _letters(char)]]
        for count in [len(letters)]
        for place, letter in enumerate(letters)
    ]
    matches: dict[int, tuple[int, float, float]] = {}
    same = 0
    matcher = SequenceMatcher(
        None, [letter for _, letter in wanted], [one[3] for one in sounds], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        same += block.size
        for step in range(block.size):
            number, left, right, _ = sounds[block.b + step]
            word = heard[number]
            length = word.end - word.start
            at = wanted[block.a + step][0]
            matches[at] = (number, word.start + left * length, word.start + right * length)
    if not wanted or same < _LEAST_HEARD * len(wanted):
        return ()
    return _with_times(text, _split(text, matches), matches, seconds)


def _letters(char: str) -> str:
    """What of a character is compared: letters and digits, without case, accent and width."""
    plain = unicodedata.normalize("NFKD", char).casefold()
    return "".join(one for one in plain if one.isalnum())


def _split(text: str, matches: dict[int, tuple[int, float, float]]) -> list[tuple[int, int]]:
    """The bounds of the words: at spaces, and in scripts without them where one was heard."""
    bounds: list[tuple[int, int]] = []
    start = last = -1
    for at, char in enumerate(text):
        if char.isspace():
            if start >= 0:
                bounds.append((start, at))
            start = last = -1
            continue
        number = matches[at][0] if at in matches else last
        begins = start < 0 or (last >= 0 and number != last and _has_no_spaces(char))
        if begins and start >= 0:
            bounds.append((start, at))
        start, last = (at if begins else start), number
    return [*bounds, *([(start, len(text))] if start >= 0 else [])]


def _has_no_spaces(char: str) -> bool:
    """Whether a character belongs to a script that writes words without spaces."""
    name = unicodedata.name(char, "")
    return name.startswith(("CJK UNIFIED", "HIRAGANA", "KATAKANA"))


def _with_times(
    text: str,
    bounds: Sequence[tuple[int, int]],
    matches: dict[int, tuple[int, float, float]],
    seconds: float,
) -> tuple[WordTime, ...]:
    """Times of words: those heard as they are, the others between their neighbours by length."""
    known: list[tuple[float, float] | None] = []
    for first, end in bounds:
        times = [matches[at][1:] for at in range(first, end) if at in matches]
        known.append((min(t[0] for t in times), max(t[1] for t in times)) if times else None)
    words, at, before = [], 0, 0.0
    while at < len(bounds):
        after = at
        while after < len(bounds) and known[after] is None:
            after += 1
        following = known[after] if after < len(bounds) else None
        gap_end = min(max(before, following[0] if following is not None else seconds), seconds)
        lengths = [bounds[one][1] - bounds[one][0] for one in range(at, after)]
        for number, length in enumerate(lengths):
            left = before + (gap_end - before) * sum(lengths[:number]) / sum(lengths)
            right = left + (gap_end - before) * length / sum(lengths)
            words.append((bounds[at + number], left, right))
        if following is not None:
            start = min(max(before, following[0]), seconds)
            before = min(max(start, following[1]), seconds)
            words.append((bounds[after], start, before))
        at = after + 1
    return tuple(
        WordTime(text[first:end], round(start, 3), round(stop, 3))
        for (first, end), start, stop in words
    )
