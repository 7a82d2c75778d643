"""Cantonese text to two phones a character (compat SPEC 6.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.symbols import PUNCTUATION, UNKNOWN, is_known_phone
from sovdeck.engine.text.zh.user_readings import insert_placeholders, resolve_placeholders

# In upstream's order, the first that fits wins. Whole vowels stand where there is no initial,
# so aai is cut after aa, and ong, which starts like on, before its g.
_INITIALS = "aa ai ak au a ou oi ok on o uk e gw kw ng b c d f g h j k l m n p s t w z".split()

# Han outside the range that Chinese normalisation keeps.
_RARE = re.compile("[\u3400-\u4dbf\u9fa6-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


def to_phones(spans: Sequence[LexiconSpan]) -> Phones:
    """Phones, two a character and one a mark, with word2ph."""
    from ToJyutping import get_jyutping_list

    given = resolve_placeholders(
        *insert_placeholders([part for span in spans for part in _split_rare_characters(span)])
    )
    phones: list[str] = []
    word2ph: list[int] = []
    for position, (letter, jyutping) in enumerate(get_jyutping_list(given.text)):
        syllable = given.syllables.get(position) or jyutping or ""
        sound = (letter,) if letter in PUNCTUATION else split_syllable(syllable)
        phones.extend(sound)
        word2ph.append(len(sound))
    return Phones(phones, word2ph, given.text)


@lru_cache(maxsize=16384)
def is_readable(letter: str) -> bool:
    """Whether one character has a syllable of the phone table."""
    return _find_syllable(letter) is not None


def _split_rare_characters(span: LexiconSpan) -> Iterator[LexiconSpan]:
    """Cut out characters that the normaliser would drop, each with its reading."""
    if span.reading is not None or not _RARE.search(span.text):
        yield span
        return
    end = 0
    for match in _RARE.finditer(span.text):
        syllable = _find_syllable(match.group())
        if syllable is None:
            continue
        if match.start() > end:
            yield LexiconSpan(span.text[end : match.start()])
        yield LexiconSpan(match.group(), syllable)
        end = match.end()
    yield LexiconSpan(span.text[end:])


def _find_syllable(letter: str) -> str | None:
    from ToJyutping import get_jyutping_list

    found = get_jyutping_list(letter)
    syllable = found[0][1] if len(found) == 1 else None
    return syllable if syllable and UNKNOWN not in split_syllable(syllable) else None


def split_syllable(jyutping: str) -> tuple[str, str]:
    """`keoi5` -> (Yk, Yeoi5), `m4` -> (Ym, Ym4); UNK twice for phones outside the table."""
    syllable, tone = jyutping[:-1], jyutping[-1:]
    initial = next((start for start in _INITIALS if syllable.startswith(start)), "")
    final = syllable[len(initial) :] or initial[-1:]
    pair = (f"Y{initial}", f"Y{final}{tone}")
    return pair if initial and all(map(is_known_phone, pair)) else (UNKNOWN, UNKNOWN)
