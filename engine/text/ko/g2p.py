"""Korean text to jamo (compat SPEC 6.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from sovdeck.engine.text.ko.jamo import SPLIT_VOWELS, decompose, is_hangul
from sovdeck.engine.text.ko.numbers import numbers_to_hangul
from sovdeck.engine.text.ko.pronunciation import pronounce
from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.symbols import PUNCTUATION, is_known_phone

BLANK, OTHER = "空", "停"
_WORD = re.compile("[\uac00-\ud7a3]+|.", re.DOTALL)
_MARKS = {
    "。": ".",
    "！": "!",
    "？": "?",
    "，": ",",
    "、": ",",
    "；": ",",
    ";": ",",
    "：": ",",
    ":": ",",
    "~": "…",
    "～": "…",
    "—": "-",
}


def to_phones(spans: Sequence[LexiconSpan]) -> Phones:
    """Jamo of a Korean text; a text that ends in one gets a full stop, as upstream does."""
    written = "".join(span.text for span in spans)
    spoken = "".join(span.reading or span.text for span in spans).replace("...", "…")
    phones = [
        phone for word in _WORD.findall(numbers_to_hangul(spoken)) for phone in _word_phones(word)
    ]
    if phones and phones[-1] not in PUNCTUATION and phones[-1] not in (BLANK, OTHER):
        phones.append(".")
    return Phones(phones, None, written)


@lru_cache(maxsize=8192)
def _word_phones(word: str) -> tuple[str, ...]:
    return tuple(_pronounce_word(word))


def _pronounce_word(word: str) -> Iterator[str]:
    if not is_hangul(word[0]):
        mark = _MARKS.get(word, word)
        yield BLANK if mark.isspace() else (mark if is_known_phone(mark) else OTHER)
        return
    for syllable in pronounce([decompose(letter) for letter in word]):
        yield syllable.initial
        yield from SPLIT_VOWELS.get(syllable.vowel, syllable.vowel)
        if syllable.final:
            yield syllable.final
