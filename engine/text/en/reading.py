"""English text to ARPAbet (compat SPEC 6.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from engine.text.en.dictionary import homographs, pronunciations
from engine.text.en.guess import guess, parts
from engine.text.en.homograph import is_part
from engine.text.en.normal import APOSTROPHE, normalize
from engine.text.lexicon import Span
from engine.text.phones import Phones
from engine.text.symbols import known

_PIECE = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*|\S")
_FEWEST = 4
_DEEPEST = 4
_VOICELESS = ("P", "T", "K", "F", "TH", "HH")
_HISSING = ("S", "Z", "SH", "ZH", "CH", "JH")


def read(spans: Sequence[Span]) -> Phones:
    """Phones of an English text; fewer than four get a pause in front, as upstream does."""
    phones: list[str] = []
    normalized: list[str] = []
    for span in spans:
        if span.reading is not None:
            phones.extend(span.reading.split())
            normalized.append(span.text)
        else:
            text = normalize(span.text)
            phones.extend(_phones(text.replace(APOSTROPHE, "'")))
            normalized.append(text.replace(APOSTROPHE, ""))
    phones = [phone for phone in phones if known(phone)]
    if len(phones) < _FEWEST:
        phones = [",", *phones]
    return Phones(phones, None, "".join(normalized))


def _phones(text: str) -> Iterator[str]:
    pieces = _PIECE.findall(text)
    words = ["", *(piece.lower() if piece[0].isalpha() else "" for piece in pieces), ""]
    for number, piece in enumerate(pieces, 1):
        if not piece[0].isalpha():
            yield "-" if piece == "'" else piece
        elif piece.isupper() and words[number] == "a":
            yield "EY1"  # the article is AH0; a capital is the letter's name
        else:
            yield from _in_context(words[number], words[number - 1], words[number + 1])


def _in_context(word: str, before: str, after: str) -> Iterable[str]:
    if word in homographs():
        as_part, otherwise, part = homographs()[word]
        return as_part if is_part(part, word, before, after) else otherwise
    return word_phones(word)


def word_phones(word: str, depth: int = 0) -> tuple[str, ...]:
    """Phones of a lower-case `word`: dictionary, letters, possessive, parts, network."""
    found = pronunciations().get(word)
    if found is not None:
        return found
    if "-" in word:
        return _joined(word.split("-"), depth)
    if word.endswith("'s") and len(word) > 2:
        base = word_phones(word[:-2], depth)
        return (*base, *_possessive(base[-1] if base else ""))
    bare = word.replace("'", "")
    if len(bare) <= 3 or depth >= _DEEPEST:
        return tuple(phone for letter in bare for phone in _letter(letter))
    pieces = parts(bare)
    return guess(bare) if len(pieces) == 1 else _joined(pieces, depth)


def _joined(pieces: Iterable[str], depth: int) -> tuple[str, ...]:
    return tuple(phone for piece in pieces for phone in word_phones(piece, depth + 1))


def _letter(letter: str) -> tuple[str, ...]:
    return ("EY1",) if letter == "a" else pronunciations()[letter]


def _possessive(last: str) -> tuple[str, ...]:
    if last in _HISSING:
        return ("AH0", "Z")
    return ("S",) if last in _VOICELESS else ("Z",)
