"""Cantonese text to two phones a character (compat SPEC 6.6)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.text.lexicon import Span
from engine.text.phones import Phones
from engine.text.symbols import PUNCTUATION, UNKNOWN, known
from engine.text.zh.given import mark, unmark

# In upstream's order, the first that fits wins. Whole vowels stand where there is no initial,
# so aai is cut after aa, and ong, which starts like on, before its g.
_INITIALS = "aa ai ak au a ou oi ok on o uk e gw kw ng b c d f g h j k l m n p s t w z".split()


def read(spans: Sequence[Span]) -> Phones:
    """Phones, two a character and one a mark, with word2ph to say so."""
    from ToJyutping import get_jyutping_list

    given = unmark(*mark(spans))
    phones: list[str] = []
    word2ph: list[int] = []
    for position, (letter, jyutping) in enumerate(get_jyutping_list(given.text)):
        syllable = given.syllables.get(position) or jyutping or ""
        sound = (letter,) if letter in PUNCTUATION else split(syllable)
        phones.extend(sound)
        word2ph.append(len(sound))
    return Phones(phones, word2ph, given.text)


def split(jyutping: str) -> tuple[str, str]:
    """`keoi5` -> (Yk, Yeoi5), `m4` -> (Ym, Ym4); UNK twice for what the table cannot say."""
    syllable, tone = jyutping[:-1], jyutping[-1:]
    initial = next((start for start in _INITIALS if syllable.startswith(start)), "")
    final = syllable[len(initial) :] or initial[-1:]
    pair = (f"Y{initial}", f"Y{final}{tone}")
    return pair if initial and all(map(known, pair)) else (UNKNOWN, UNKNOWN)
