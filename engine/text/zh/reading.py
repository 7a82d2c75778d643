"""Chinese text to two phones a character (compat SPEC 6.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PHRASES_DICT

from engine.text.lexicon import Span
from engine.text.phones import Phones
from engine.text.symbols import UNKNOWN
from engine.text.zh.normal import FIRST_GIVEN, LAST_GIVEN, normalize, simplify
from engine.text.zh.sandhi import spoken_er, spoken_tones
from engine.text.zh.syllables import split
from engine.text.zh.words import Word, cut

# Wishes for a pause inside a text: each of these makes every comma of it such a pause.
_PAUSES = (("￥", "SP2"), ("^", "SP3"))
_CLAUSE = re.compile(r"[^!?…,.\-]*(?:[!?…,.\-]|\Z)")
_PRIVATE = re.compile(f"[{FIRST_GIVEN}-{LAST_GIVEN}]")
_HAN = re.compile("[\u4e00-\u9fa5]")


def read(spans: Sequence[Span]) -> Phones:
    """Phones, two a character and one a mark, with word2ph to say so."""
    text, given = _marked(spans)
    pause = None
    for sign, symbol in _PAUSES:
        if sign in text:
            text, pause = text.replace(sign, ","), symbol
    text = normalize(text)
    syllables = _given_syllables(text, given)
    text = "".join(given[letter][0] if letter in given else letter for letter in text)
    phones: list[str] = []
    word2ph: list[int] = []
    for position, sound in enumerate(_sounds(text)):
        sound = split(syllables[position]) or sound if position in syllables else sound
        phones.extend(sound)
        word2ph.append(len(sound))
    if pause is not None:
        phones = [pause if phone == "," else phone for phone in phones]
    return Phones(phones, word2ph, text)


def _marked(spans: Sequence[Span]) -> tuple[str, dict[str, tuple[str, str]]]:
    """Text whose characters of given reading are private marks: mark -> character, syllable."""
    given: dict[str, tuple[str, str]] = {}
    parts: list[str] = []
    room = ord(LAST_GIVEN) - ord(FIRST_GIVEN)
    for span in spans:
        syllables = span.reading.split() if span.reading else []
        if len(syllables) != len(span.text) or len(given) + len(syllables) > room:
            parts.append(_PRIVATE.sub("", span.text))
            continue
        for letter, syllable in zip(span.text, syllables, strict=True):
            mark = chr(ord(FIRST_GIVEN) + len(given))
            given[mark] = (simplify(letter), syllable)
            parts.append(mark)
    return "".join(parts), given


def _given_syllables(text: str, given: dict[str, tuple[str, str]]) -> dict[int, str]:
    return {at: given[mark][1] for at, mark in enumerate(text) if mark in given}


def _sounds(text: str) -> Iterator[tuple[str, ...]]:
    """The phones of each character of normalised `text`."""
    for clause in _CLAUSE.findall(text):
        # The whole clause is read at once: neighbours decide between readings.
        syllables = lazy_pinyin(clause, style=Style.TONE3, neutral_tone_with_five=True, errors=list)
        start = 0
        for word in cut(clause):
            end = start + len(word.text)
            if _HAN.search(word.text):
                yield from _word_sounds(word, _word_syllables(word.text) or syllables[start:end])
            else:
                yield from ((letter,) for letter in word.text)
            start = end


@cache
def _word_syllables(word: str) -> list[str]:
    """Readings of a word that stands in pypinyin's own phrase list, else nothing."""
    if len(word) < 2 or word not in PHRASES_DICT:
        return []
    return lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)


def _word_sounds(word: Word, syllables: list[str]) -> Iterator[tuple[str, ...]]:
    tones = [syllable[-1] if syllable[-1:].isdigit() else "0" for syllable in syllables]
    spoken = spoken_er(word, spoken_tones(word, tones))
    for letter, syllable, tone in zip(word.text, syllables, spoken, strict=True):
        if not _HAN.match(letter):
            yield (letter,)
        else:
            yield split(syllable[:-1] + tone) or (UNKNOWN, UNKNOWN)
