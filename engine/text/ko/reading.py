"""Korean text to jamo (compat SPEC 6.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from engine.text.ko.jamo import SPLIT_VOWELS, is_hangul, take_apart
from engine.text.ko.numbers import in_hangul
from engine.text.ko.spoken import pronounce
from engine.text.lexicon import Span
from engine.text.phones import Phones
from engine.text.symbols import PUNCTUATION, known

BLANK, OTHER = "空", "停"
_WORD = re.compile("[\uac00-\ud7a3]+|.", re.DOTALL)
_MARKS = {"。": ".", "！": "!", "？": "?", "，": ",", "、": ",", "；": ",", ";": ",", "：": ",",
          ":": ",", "~": "…", "～": "…", "—": "-"}  # fmt: skip


def read(spans: Sequence[Span]) -> Phones:
    """Jamo of a Korean text; a text that ends in one gets a full stop, as upstream does."""
    written = "".join(span.text for span in spans)
    spoken = "".join(span.reading or span.text for span in spans).replace("...", "…")
    phones = [phone for word in _WORD.findall(in_hangul(spoken)) for phone in _word(word)]
    if phones and phones[-1] not in PUNCTUATION and phones[-1] not in (BLANK, OTHER):
        phones.append(".")
    return Phones(phones, None, written)


def _word(word: str) -> Iterator[str]:
    if not is_hangul(word[0]):
        mark = _MARKS.get(word, word)
        yield BLANK if mark.isspace() else (mark if known(mark) else OTHER)
        return
    for syllable in pronounce([take_apart(letter) for letter in word]):
        yield syllable.initial
        yield from SPLIT_VOWELS.get(syllable.vowel, syllable.vowel)
        if syllable.final:
            yield syllable.final
