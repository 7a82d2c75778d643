"""English text to ARPAbet phones (compat SPEC 6.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from sovdeck.engine.text.en.dictionary import load_homographs, load_pronunciations
from sovdeck.engine.text.en.g2p_network import predict_phones, split_compound
from sovdeck.engine.text.en.homograph import is_part_of_speech
from sovdeck.engine.text.en.normalize import APOSTROPHE, normalize
from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.symbols import is_known_phone

_TOKEN = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*|\S")
_MIN_PHONES = 4
_MAX_DEPTH = 4
_VOICELESS = ("P", "T", "K", "F", "TH", "HH")
_VOICELESS_SIBILANTS = ("S", "SH", "CH")
_PLAIN_VOWEL = re.compile("[aeiou]")
_VOWEL = re.compile("[aeiouy]")
_MAX_LETTERS = 60  # letters that are looked at together
# Endings, and what the stem may have lost before them.
_ENDINGS = (
    ("ing", ("", "e")),
    ("ings", ("", "e")),
    ("ed", ("", "e")),
    ("er", ("", "e")),
    ("ers", ("", "e")),
    ("ly", ("",)),
    ("ness", ("",)),
    ("less", ("",)),
    ("ful", ("",)),
    ("ish", ("", "e")),
    ("like", ("",)),
    ("able", ("", "e")),
    ("s", ("",)),
)
_SOUNDS = {
    "ing": ("IH0", "NG"),
    "ings": ("IH0", "NG", "Z"),
    "er": ("ER0",),
    "ers": ("ER0", "Z"),
    "ly": ("L", "IY0"),
    "ness": ("N", "AH0", "S"),
    "less": ("L", "AH0", "S"),
    "ful": ("F", "AH0", "L"),
    "ish": ("IH0", "SH"),
    "like": ("L", "AY2", "K"),
    "able": ("AH0", "B", "AH0", "L"),
}
_SIBILANTS = ("S", "Z", "SH", "ZH", "CH", "JH")


def to_phones(spans: Sequence[LexiconSpan]) -> Phones:
    """Phones of an English text; fewer than four get a pause in front, as upstream does."""
    phones: list[str] = []
    normalized: list[str] = []
    for span in spans:
        if span.reading is not None:
            phones.extend(span.reading.split())
            normalized.append(span.text)
        else:
            text = normalize(span.text)
            phones.extend(_sentence_phones(text.replace(APOSTROPHE, "'")))
            normalized.append(text.replace(APOSTROPHE, ""))
    phones = list(filter(is_known_phone, phones))
    if len(phones) < _MIN_PHONES:
        phones = [",", *phones]
    return Phones(phones, None, "".join(normalized))


def _sentence_phones(text: str) -> Iterator[str]:
    pieces = _TOKEN.findall(text)
    words = ["", *(piece.lower() if piece[0].isalpha() else "" for piece in pieces), ""]
    ambiguous = load_homographs()
    for number, piece in enumerate(pieces, 1):
        word = words[number]
        if not word:
            yield "-" if piece == "'" else piece
        elif word == "a" and piece == "A":
            yield "EY1"  # the article is AH0; a capital is the letter's name
        elif word in ambiguous:
            as_part, otherwise, part = ambiguous[word]
            fits = is_part_of_speech(part, word, words[number - 1], words[number + 1])
            yield from as_part if fits else otherwise
        else:
            yield from word_phones(word)


@lru_cache(maxsize=65536)
def word_phones(word: str, depth: int = 0) -> tuple[str, ...]:
    """Phones of a lower-case `word`: dictionary, letters, possessive, parts, network."""
    found = load_pronunciations().get(word)
    if found is not None:
        return found
    if "-" in word:
        return _concatenate_phones(word.split("-"), depth)
    if word.endswith("'s") and len(word) > 2:
        base = word_phones(word[:-2], depth)
        return (*base, *_possessive_phones(base[-1] if base else ""))
    bare = word.replace("'", "")
    if len(bare) > _MAX_LETTERS:
        pieces: Sequence[str] = [
            bare[at : at + _MAX_LETTERS] for at in range(0, len(bare), _MAX_LETTERS)
        ]
        return _concatenate_phones(pieces, 0)
    if not _VOWEL.search(bare) and len(bare) <= 3:
        return _spell_phones(bare)
    if depth < _MAX_DEPTH and _has_compound_parts(bare):
        pieces = split_compound(bare)
        if len(pieces) > 1 and all(map(_is_compound_part, pieces)):
            return _concatenate_phones(pieces, depth)
    return _inflected_phones(bare, depth) or _guess_phones(bare)


def _has_compound_parts(word: str) -> bool:
    """Whether `word` can be cut into parts of a compound: if not, no counts are needed."""
    ends = {0}  # where a part may begin
    for end in range(1, len(word) + 1):
        if any(_is_compound_part(word[start:end]) for start in ends if end - start < len(word)):
            ends.add(end)
    return len(word) in ends


def _is_compound_part(piece: str) -> bool:
    """Whether a compound may have this part: a word of its own, and no lone letter."""
    return len(piece) > 2 and piece in load_pronunciations()


def _inflected_phones(word: str, depth: int) -> tuple[str, ...]:
    """Phones of an ending behind a known stem: scrawl-ing-s; nothing when there is none."""
    for ending, stems in _ENDINGS:
        if not word.endswith(ending) or len(word) - len(ending) < 3 or depth >= _MAX_DEPTH:
            continue
        stem = word[: -len(ending)]
        for change in stems:
            base = load_pronunciations().get(stem + change)
            if base is None and ending == "s":
                base = _inflected_phones(stem, depth + 1) or None
            if base is None and change == "" and len(stem) > 4 and stem[-1] == stem[-2]:
                base = load_pronunciations().get(stem[:-1])
            if base is not None:
                return (*base, *_ending_phones(ending, base[-1]))
    return ()


def _ending_phones(ending: str, last: str) -> tuple[str, ...]:
    if ending == "s":
        return _possessive_phones(last)
    if ending == "ed":
        if last in ("T", "D"):
            return ("AH0", "D")
        return ("T",) if last in (*_VOICELESS, *_VOICELESS_SIBILANTS) else ("D",)
    return _SOUNDS[ending]


def _guess_phones(word: str) -> tuple[str, ...]:
    """The network's reading, in halves where the whole is no likely one; letters at the last."""
    if len(word) > 3 and not _PLAIN_VOWEL.search(word):
        return _spell_phones(word)
    phones = predict_phones(word)
    if _is_likely(word, phones):
        return phones
    if len(word) >= 8:
        middle = len(word) // 2
        return (*_guess_phones(word[:middle]), *_guess_phones(word[middle:]))
    return phones if phones and _VOWEL.search(word) else _spell_phones(word)


def _is_likely(word: str, phones: Sequence[str]) -> bool:
    """A vowel, about as many phones as letters, and none three times on end."""
    if not any(phone[-1].isdigit() for phone in phones):
        return False
    if not 0.4 * len(word) <= len(phones) <= 1.5 * len(word) + 1:
        return False
    return not any(a == b == c for a, b, c in zip(phones, phones[1:], phones[2:], strict=False))


def _spell_phones(word: str) -> tuple[str, ...]:
    return tuple(phone for letter in word for phone in _letter_phones(letter))


def _concatenate_phones(pieces: Iterable[str], depth: int) -> tuple[str, ...]:
    return tuple(phone for piece in pieces for phone in word_phones(piece, depth + 1))


def _letter_phones(letter: str) -> tuple[str, ...]:
    return ("EY1",) if letter == "a" else load_pronunciations()[letter]


def _possessive_phones(last: str) -> tuple[str, ...]:
    if last in _SIBILANTS:
        return ("AH0", "Z")
    return ("S",) if last in _VOICELESS else ("Z",)
