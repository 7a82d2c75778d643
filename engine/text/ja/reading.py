"""Japanese text to phones with pitch marks (compat SPEC 6.4).

`[` is a rise, `]` the accent fall; the border between two accent phrases is not in the phone
table and reads as UNK, in GPT-SoVITS's own training data as well, so it must here too.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType

from engine.text.ja.phrases import rephrase
from engine.text.lexicon import Span
from engine.text.phones import Phones
from engine.text.symbols import UNKNOWN, known

_SPOKEN = re.compile(
    "[A-Za-z\\d\u3005\u3040-\u30ff\u4e00-\u9fff\uff11-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9d]+"
)
_REPEATED = re.compile(r"([!?…,.\-])[!?…,.\-]+")
_MARKS = {
    "：": ",", "；": ",", "，": ",", "·": ",", "、": ",",
    "。": ".", "！": "!", "？": "?", "\n": ".",
}  # fmt: skip
# Sounds of loan words that OpenJTalk has phones for and the table has not.
_SPLIT = {
    "v": ("b",), "kw": ("k", "w"), "gw": ("g", "w"), "ty": ("t", "y"),
    "fy": ("f", "y"), "vy": ("by",), "sy": ("s", "y"), "zy": ("z", "y"),
}  # fmt: skip
# OpenJTalk's buffers are fixed: longer stretches without any mark are read in parts.
_LONGEST = 400


def read(spans: Sequence[Span]) -> Phones:
    """Phones of a Japanese text; never an exception, whatever the text holds.

    A reading given by the user is kana, so it takes the word's place before the analysis.
    """
    normalized = _REPEATED.sub(r"\1", "".join(span.text for span in spans))
    spoken = _REPEATED.sub(r"\1", "".join(span.reading or span.text for span in spans))
    phones = [phone if known(phone) else UNKNOWN for phone in _phones(spoken)]
    return Phones(phones, None, normalized)


def _phones(text: str) -> Iterator[str]:
    text = text.replace("％", "パーセント").lower()
    end = 0
    for match in _SPOKEN.finditer(text):
        yield from _marks(text[end : match.start()])
        yield from _spoken(match.group())
        end = match.end()
    yield from _marks(text[end:])


def _marks(text: str) -> Iterator[str]:
    for mark in text:
        if mark != " ":
            yield _MARKS.get(mark, mark)


@cache
def _analyser() -> ModuleType:
    # Loads a 100 MB dictionary, so only when needed. The package prints a remark about an
    # optional part on standard output, which belongs to our own JSON lines.
    with contextlib.redirect_stdout(sys.stderr):
        import pyopenjtalk
    return pyopenjtalk


def _spoken(text: str) -> Iterator[str]:
    analyser = _analyser()
    for start in range(0, len(text), _LONGEST):
        part = text[start : start + _LONGEST]
        # Without the package's own corrections: they are absent from upstream's training data.
        features = analyser.run_frontend(part, use_vanilla=True)
        if features:
            rephrase(features, analyser.run_mecab(part), _accent_alone)
            yield from _from_labels(analyser.make_label(features))


def _accent_alone(written: str) -> int:
    features = _analyser().run_frontend(written, use_vanilla=True)
    return int(features[0]["acc"]) if features else 0


_CURRENT = re.compile(r"-([^+]*)\+")
_A1 = re.compile(r"/A:(-?\d+)\+")
_A2 = re.compile(r"\+(\d+)\+")
_A3 = re.compile(r"\+(\d+)/")
_F1 = re.compile(r"/F:(\d+)_")
_MISSING = -50
_VOICELESS = ("A", "E", "I", "O", "U")


def _from_labels(labels: list[str]) -> Iterator[str]:
    following_labels = [*labels[1:], ""] if labels else []
    for label, following in zip(labels, following_labels, strict=True):
        phone = _text(_CURRENT, label)
        if phone == "sil":
            continue
        if phone == "pau":
            yield "_"
            continue
        if phone in _VOICELESS:
            phone = phone.lower()
        yield from _SPLIT.get(phone, (phone,))
        # a1: moras from the accent kernel; a2, a3: position in the phrase from start and end.
        a1, a2, a3 = (_number(field, label) for field in (_A1, _A2, _A3))
        next_a2 = _number(_A2, following)
        if a3 == 1 and next_a2 == 1 and (phone in ("N", "cl") or phone in "aeiou"):
            yield UNKNOWN
        elif a1 == 0 and next_a2 == a2 + 1 and a2 != _number(_F1, label):
            yield "]"
        elif a2 == 1 and next_a2 == 2:
            yield "["


def _text(field: re.Pattern[str], label: str) -> str:
    match = field.search(label)
    return match.group(1) if match else ""


def _number(field: re.Pattern[str], label: str) -> int:
    found = _text(field, label)
    return int(found) if found else _MISSING
