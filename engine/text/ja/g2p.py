"""Japanese text to phones with pitch marks (compat SPEC 6.4).

`[` is a rise, `]` the accent fall; the border between two accent phrases is not in the phone
table and reads as UNK, in GPT-SoVITS's own training data as well, so it must here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from sovdeck.engine.text.ja.accent_phrases import correct_accent_phrases
from sovdeck.engine.text.ja.analyser import analyse
from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.symbols import UNKNOWN, is_known_phone

_PRONOUNCED = re.compile(
    "[A-Za-z\\d\u3005\u3007\u3040-\u30ff\u4e00-\u9fff\uff11-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9d]+"
)
_REPEATED = re.compile(r"([!?…,.\-])[!?…,.\-]+")
_MARKS = {
    "：": ",",
    "；": ",",
    "，": ",",
    "·": ",",
    "、": ",",
    "。": ".",
    "！": "!",
    "？": "?",
    "\n": ".",
}
# Phones of OpenJTalk for loan words that are not in the table.
_LOANWORD_PHONES = {
    "v": ("b",),
    "kw": ("k", "w"),
    "gw": ("g", "w"),
    "ty": ("t", "y"),
    "fy": ("f", "y"),
    "vy": ("by",),
    "sy": ("s", "y"),
    "zy": ("z", "y"),
}
# OpenJTalk's buffers are fixed: longer stretches without any mark are read in parts.
_MAX_CHARACTERS = 400


def to_phones(spans: Sequence[LexiconSpan]) -> Phones:
    """Phones of a Japanese text; raises nothing, whatever the text holds.

    A reading given by the user is kana, so it replaces the word before the analysis.
    """
    normalized = _REPEATED.sub(r"\1", "".join(span.text for span in spans))
    pronounced = _REPEATED.sub(r"\1", "".join(span.reading or span.text for span in spans))
    phones = [phone if is_known_phone(phone) else UNKNOWN for phone in _text_phones(pronounced)]
    return Phones(phones, None, normalized)


def _text_phones(text: str) -> Iterator[str]:
    text = text.replace("％", "パーセント").lower()
    end = 0
    for match in _PRONOUNCED.finditer(text):
        yield from _punctuation_phones(text[end : match.start()])
        yield from _pronounced_phones(match.group())
        end = match.end()
    yield from _punctuation_phones(text[end:])


def _punctuation_phones(text: str) -> Iterator[str]:
    for mark in text:
        if mark != " ":
            # A letter of another script may look like a phone of the table and is none here.
            yield UNKNOWN if mark.isalpha() else _MARKS.get(mark, mark)


@lru_cache(maxsize=16384)
def is_readable(text: str) -> bool:
    """Whether the analyser has a reading for every word of `text`."""
    features = analyse(text).features
    return bool(features) and all(word["mora_size"] > 0 for word in features)


@lru_cache(maxsize=4096)
def is_readable_within(text: str, position: int) -> bool:
    """Whether the word at `position` of `text` has a reading."""
    start = 0
    for word in analyse(text).features:
        start += len(word["string"])
        if position < start:
            # Characters outside its character set are no part of what the analyser gives back.
            return bool(word["mora_size"]) and text[position] in word["string"]
    return False


def _pronounced_phones(text: str) -> Iterator[str]:
    for start in range(0, len(text), _MAX_CHARACTERS):
        analysis = analyse(text[start : start + _MAX_CHARACTERS])
        if analysis.features:
            correct_accent_phrases(analysis.features, analysis.lines, _accent_of_number)
            yield from _phones_from_labels(analysis.make_labels())


def _accent_of_number(written: str) -> int:
    features = analyse(written).features
    return int(features[0]["acc"]) if features else 0


# The phone; a1: moras from the accent kernel; a2, a3: position in the phrase from start and end;
# f1: moras of the phrase. A silence has no figures.
_LABEL = re.compile(r"-([^+]*)\+.*?/A:(-?\d+|xx)\+(\d+|xx)\+(\d+|xx)/.*?/F:(\d+|xx)_")
_MISSING = -50
_VOICELESS = ("A", "E", "I", "O", "U")


class _Label(NamedTuple):
    phone: str
    a1: int
    a2: int
    a3: int
    f1: int


_NO_LABEL = _Label("", *(_MISSING,) * 4)


def _phones_from_labels(labels: list[str]) -> Iterator[str]:
    parsed = [*map(_parse_label, labels), _NO_LABEL]
    for label, following in pairwise(parsed):
        phone = label.phone
        if phone == "sil":
            continue
        if phone == "pau":
            yield "_"
            continue
        if phone in _VOICELESS:
            phone = phone.lower()
        yield from _LOANWORD_PHONES.get(phone, (phone,))
        next_a2 = following.a2
        if label.a3 == 1 and next_a2 == 1 and (phone in ("N", "cl") or phone in "aeiou"):
            yield UNKNOWN
        elif label.a1 == 0 and next_a2 == label.a2 + 1 and label.a2 != label.f1:
            yield "]"
        elif label.a2 == 1 and next_a2 == 2:
            yield "["


def _parse_label(label: str) -> _Label:
    found = _LABEL.search(label)
    if found is None:
        return _NO_LABEL
    phone, *figures = found.groups()
    return _Label(phone, *(_MISSING if one == "xx" else int(one) for one in figures))
