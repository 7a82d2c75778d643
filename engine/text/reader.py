"""A text as it is read aloud: pieces of one language each, their phones, and what is lost.

Every letter and digit of the text is either read, by a phone or by the words a rule writes for
it, or it is *lost*, and then it is named with its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.text.aligned import WRITTEN, AlignedText
from sovdeck.engine.text.formulas import verbalize_formulas
from sovdeck.engine.text.guess_language import guess_language
from sovdeck.engine.text.identify_languages import is_undecided
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phonemize import TEXT_LANGUAGES, phonemize_spans
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.segment import LanguageSegment, segment_by_language
from sovdeck.engine.text.symbols import PUNCTUATION, UNKNOWN
from sovdeck.engine.text.unicode_forms import normalize_unicode

_EMPTY_LEXICON = Lexicon()
# What a language's reader writes that has no sound of its own.
SILENT = frozenset((*PUNCTUATION, UNKNOWN, "_", "SP", "SP2", "SP3", "[", "]", "空", "停"))
_COUNTED = ("Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No")
_MAYBE_COUNTED = re.compile(r"[^\W_]")
_SHOWN = 12  # lost characters that one sentence names
_BLANKS = re.compile("  +")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")


@dataclass(frozen=True)
class ReadPiece:
    """One stretch in one language: its plain writing and its phones."""

    language: str
    text: str
    phones: Phones


@dataclass(frozen=True)
class LostCharacter:
    """A character without a sound, and its index in the text as given."""

    char: str
    index: int

    def as_json(self) -> dict[str, Any]:
        """Return both as plain data."""
        return {"char": self.char, "index": self.index}


@dataclass(frozen=True)
class Reading:
    """`source` as read. `read` and `lost` together are its letters and digits."""

    pieces: tuple[ReadPiece, ...]
    lost: tuple[LostCharacter, ...]
    source: str

    @property
    def read(self) -> int:
        """How many letters and digits have a sound."""
        return count_letters(self.source) - len(self.lost)

    @property
    def phones(self) -> list[str]:
        """The phones of all pieces."""
        return [phone for piece in self.pieces for phone in piece.phones.phones]

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it has a sound."""
        return all(SILENT.issuperset(piece.phones.phones) for piece in self.pieces)

    def as_json(self) -> dict[str, Any]:
        """Return pieces and lost characters as plain data."""
        return {
            "pieces": [
                {"language": piece.language, "text": piece.text, "phones": piece.phones.phones}
                for piece in self.pieces
            ],
            "lost": [one.as_json() for one in self.lost],
        }


def read_text(text: str, mode: str, lexicon: Lexicon | None = None) -> Reading:
    """Read `text` in a mode of `segment.LANGUAGE_MODES`; Problem for any other mode.

    `only_X` reads Latin letters as X too, as transcripts of a language are read.
    The user's words in `lexicon` win over every rule.
    """
    lexicon = lexicon or _EMPTY_LEXICON
    pieces: list[ReadPiece] = []
    lost: list[int] = []
    for part, language in _split_languages(text, mode):
        spans, unread = _verbalize_spans(part, language, lexicon)
        phones = phonemize_spans(spans, language, lexicon)
        lost += unread
        written = phones.normalized
        if language in ("ja", "ko"):  # their own normalisation leaves figures as they are
            written = "".join(span.text for span in spans)
        pieces.append(ReadPiece(language, written, phones))
    return _build_reading(text, pieces, lost)


def transcript_mode(language: str) -> str:
    """Return the mode transcripts of a language are read in.

    Latin letters in Japanese and Korean ones are said as those languages say them; Chinese has
    no reading of its own for them.
    """
    return language if language in ("zh", "yue", "en") else f"only_{language}"


def find_lost_or_refuse(
    text: str, mode: str, lexicon: Lexicon | None = None
) -> tuple[LostCharacter, ...]:
    """Return the lost characters; Problem when nothing of `text` can be read in this mode."""
    lost = find_lost(text, mode, lexicon)
    if lost and len(lost) == count_letters(text):
        raise unreadable_problem(text, mode)
    return lost


def unreadable_problem(text: str, mode: str) -> Problem:
    """Return what says that nothing of `text` can be read, and what it seems to be."""
    seems = guess_language(text)
    return Problem(
        "engine.text.unreadable", ExitCode.DATA, text=text[:40], language=mode, seems=seems
    )


def describe_lost(lost: Sequence[LostCharacter]) -> Problem | None:
    """Return one notice that names lost characters and their places; None without any."""
    if not lost:
        return None
    shown = ", ".join(f"{one.char} ({one.index + 1})" for one in lost[:_SHOWN])
    more = "" if len(lost) <= _SHOWN else " …"
    return Problem("engine.text.lost", ExitCode.DATA, count=len(lost), characters=shown + more)


def describe_guess(text: str, mode: str) -> Problem | None:
    """Return one notice that the language was guessed; None where it was chosen or is clear."""
    if mode not in ("auto", "auto_yue") or not is_undecided(text):
        return None
    language = "yue" if mode == "auto_yue" else "zh"
    return Problem("engine.text.guessed", ExitCode.DATA, language=language)


def find_lost(text: str, mode: str, lexicon: Lexicon | None = None) -> tuple[LostCharacter, ...]:
    """Return the lost characters alone: faster than reading, since no phones are needed."""
    lexicon = lexicon or _EMPTY_LEXICON
    lost: list[int] = []
    for part, language in _split_languages(text, mode):
        lost += _verbalize_spans(part, language, lexicon)[1]
    return _build_reading(text, [], lost).lost


def _split_languages(text: str, mode: str) -> Iterator[tuple[AlignedText, str]]:
    """Yield the pieces of one language each, in one Unicode form."""
    aligned = normalize_unicode(text)
    if "  " in aligned.text:
        aligned = aligned.sub(_BLANKS, lambda match: " ")
    aligned = verbalize_formulas(aligned, mode.removeprefix("all_").removeprefix("only_"))
    start = 0
    for piece in _segment(aligned.text, mode):
        end = start + len(piece.text)
        yield aligned.cut(start, end), piece.language
        start = end


def _segment(text: str, mode: str) -> Sequence[LanguageSegment]:
    whole = mode.removeprefix("only_")
    if whole != mode and whole in TEXT_LANGUAGES:
        return [LanguageSegment(text, whole)] if text else []
    language = mode.removeprefix("all_")
    if language in TEXT_LANGUAGES and not _LATIN.search(text):
        return [LanguageSegment(text, language)] if text else []
    return segment_by_language(text, mode)


def _verbalize_spans(
    part: AlignedText, language: str, lexicon: Lexicon
) -> tuple[list[LexiconSpan], list[int]]:
    """Return the spans of one piece in words, and the sources of what has no sound."""
    verbalize, find_unread = _load_language(language)
    spans: list[LexiconSpan] = []
    lost: list[int] = []
    for span in lexicon.split_spans(part.text, language):
        if span.reading is not None:
            spans.append(span)
            continue
        words = verbalize(part.cut(span.start, span.start + len(span.text)))
        lost += _lost_sources(words, find_unread(words.text))
        spans.append(LexiconSpan(words.text))
    return spans, lost


def _lost_sources(words: AlignedText, unread: Sequence[int]) -> set[int]:
    """Return the original places of unread characters, where nothing else of them is read."""
    if not unread:
        return set()
    silent = frozenset(unread)
    heard = {
        source
        for at, source in enumerate(words.sources)
        if at not in silent and is_counted(words.text[at])
    }
    return {words.sources[at] for at in unread} - heard - {WRITTEN}


def _build_reading(text: str, pieces: list[ReadPiece], lost: list[int]) -> Reading:
    places = sorted({index for index in lost if is_counted(text[index])})
    characters = tuple(LostCharacter(text[index], index) for index in places)
    return Reading(tuple(pieces), characters, text)


def count_letters(text: str) -> int:
    """Return how many characters of `text` a listener expects to hear."""
    return sum(map(is_counted, _MAYBE_COUNTED.findall(text)))


@lru_cache(maxsize=16384)
def is_counted(letter: str) -> bool:
    """Whether `letter` is one a listener expects to hear: a letter, a digit, a Han character.

    The ordinal sign º is written for the degree sign, which is no letter.
    """
    return unicodedata.category(letter) in _COUNTED and letter != "º"


@lru_cache(maxsize=16)
def _load_language(
    language: str,
) -> tuple[Callable[[AlignedText], AlignedText], Callable[[str], Sequence[int]]]:
    """Return a language's verbalizer, and its finder of characters without a sound."""
    module = import_module(f"sovdeck.engine.text.{language}.verbalize")
    return module.verbalize, module.find_unread
