"""Chinese text to two phones a character (compat SPEC 6.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pypinyin.constants import PHRASES_DICT

from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.symbols import UNKNOWN
from sovdeck.engine.text.zh.normalize import simplify
from sovdeck.engine.text.zh.sandhi import apply_er_sandhi, apply_tone_sandhi
from sovdeck.engine.text.zh.syllables import read_syllables, split_syllable
from sovdeck.engine.text.zh.user_readings import insert_placeholders, resolve_placeholders
from sovdeck.engine.text.zh.words import Word, cut_words

if TYPE_CHECKING:
    from sovdeck.engine.text.zh.polyphones import PolyphoneModel

# Signs that turn every comma of the text into a pause of this symbol.
_PAUSE_SIGNS = (("￥", "SP2"), ("^", "SP3"))
# A clause ends at its mark; one without any is read in parts, since words of equal characters
# are put together and looked at again and again.
_CLAUSE = re.compile(r"[^!?…,.\-]{0,200}(?:[!?…,.\-]|(?=[^!?…,.\-])|\Z)")
_HAN = re.compile("[\u4e00-\u9fa5]")


def to_phones(spans: Sequence[LexiconSpan], polyphones: PolyphoneModel | None = None) -> Phones:
    """Phones, two a character and one a mark, with word2ph."""
    marked, given = insert_placeholders(spans)
    pause = None
    for sign, symbol in _PAUSE_SIGNS:
        if sign in marked:
            marked, pause = marked.replace(sign, ","), symbol
    normalized = resolve_placeholders(marked, given)
    phones: list[str] = []
    word2ph: list[int] = []
    for position, sound in enumerate(_character_phones(normalized.text, polyphones)):
        if position in normalized.syllables:
            sound = split_syllable(normalized.syllables[position]) or sound
        phones.extend(sound)
        word2ph.append(len(sound))
    if pause is not None:
        phones = [pause if phone == "," else phone for phone in phones]
    return Phones(phones, word2ph, normalized.text)


def _character_phones(text: str, polyphones: PolyphoneModel | None) -> Iterator[tuple[str, ...]]:
    """The phones of each character of normalised `text`."""
    for clause in _CLAUSE.findall(text):
        # The whole clause is read at once: neighbours decide between readings.
        syllables = read_syllables(clause, errors=list)
        if polyphones is not None:
            pairs = zip(polyphones.predict_pinyin(clause), syllables, strict=True)
            syllables = [predicted or usual for predicted, usual in pairs]
        start = 0
        for word in cut_words(clause):
            end = start + len(word.text)
            if _HAN.search(word.text):
                yield from _word_phones(word, _phrase_syllables(word.text) or syllables[start:end])
            else:
                yield from ((letter,) for letter in word.text)
            start = end


@lru_cache(maxsize=16384)
def is_readable(letter: str) -> bool:
    """Whether one Han character, simplified, has a syllable of the phone table."""
    simple = simplify(letter)
    if not _HAN.fullmatch(simple):
        return False
    found = read_syllables(simple, errors="ignore")
    return bool(found) and split_syllable(found[0]) is not None


@lru_cache(maxsize=8192)
def _phrase_syllables(word: str) -> list[str]:
    """Readings of a word that stands in pypinyin's own phrase list, else nothing."""
    if len(word) < 2 or word not in PHRASES_DICT:
        return []
    return read_syllables(word)


def _word_phones(word: Word, syllables: list[str]) -> Iterator[tuple[str, ...]]:
    tones = [syllable[-1] if syllable[-1:].isdigit() else "0" for syllable in syllables]
    spoken = apply_er_sandhi(word, apply_tone_sandhi(word, tones))
    for letter, syllable, tone in zip(word.text, syllables, spoken, strict=True):
        if not _HAN.match(letter):
            yield (letter,)
        else:
            yield split_syllable(syllable[:-1] + tone) or (UNKNOWN, UNKNOWN)
