"""Chinese text to two phones a character (compat SPEC 6.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PHRASES_DICT

from engine.text.lexicon import Span
from engine.text.phones import Phones
from engine.text.symbols import UNKNOWN
from engine.text.zh.given import mark, unmark
from engine.text.zh.polyphones import Polyphones
from engine.text.zh.sandhi import spoken_er, spoken_tones
from engine.text.zh.syllables import split
from engine.text.zh.words import Word, cut

# Wishes for a pause inside a text: each of these makes every comma of it such a pause.
_PAUSES = (("￥", "SP2"), ("^", "SP3"))
_CLAUSE = re.compile(r"[^!?…,.\-]*(?:[!?…,.\-]|\Z)")
_HAN = re.compile("[\u4e00-\u9fa5]")


def read(spans: Sequence[Span], polyphones: Polyphones | None = None) -> Phones:
    """Phones, two a character and one a mark, with word2ph to say so."""
    marked, given = mark(spans)
    pause = None
    for sign, symbol in _PAUSES:
        if sign in marked:
            marked, pause = marked.replace(sign, ","), symbol
    known = unmark(marked, given)
    phones: list[str] = []
    word2ph: list[int] = []
    for position, sound in enumerate(_sounds(known.text, polyphones)):
        if position in known.syllables:
            sound = split(known.syllables[position]) or sound
        phones.extend(sound)
        word2ph.append(len(sound))
    if pause is not None:
        phones = [pause if phone == "," else phone for phone in phones]
    return Phones(phones, word2ph, known.text)


def _sounds(text: str, polyphones: Polyphones | None) -> Iterator[tuple[str, ...]]:
    """The phones of each character of normalised `text`."""
    for clause in _CLAUSE.findall(text):
        # The whole clause is read at once: neighbours decide between readings.
        syllables = lazy_pinyin(clause, style=Style.TONE3, neutral_tone_with_five=True, errors=list)
        if polyphones is not None:
            read_well = zip(polyphones.read(clause), syllables, strict=True)
            syllables = [better or usual for better, usual in read_well]
        start = 0
        for word in cut(clause):
            end = start + len(word.text)
            if _HAN.search(word.text):
                yield from _word_sounds(word, _word_syllables(word.text) or syllables[start:end])
            else:
                yield from ((letter,) for letter in word.text)
            start = end


@lru_cache(maxsize=8192)
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
