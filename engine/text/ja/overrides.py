"""Common words that OpenJTalk's dictionary reads wrongly or not at all, with the right kana.

`overrides.tsv` holds `word<TAB>kana<TAB>where<TAB>example`; every line was checked against the
dictionary. Many words have two readings: `where` names the neighbours that decide for this one.
The user's own words win over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple


class Override(NamedTuple):
    """`kana` for `word`, and a text in which it is read so."""

    word: str
    kana: str
    where: str
    example: str

    def fits(self, text: str, at: int) -> bool:
        """Whether the word stands in `text` at `at`, between the neighbours it asks for."""
        if not text.startswith(self.word, at):
            return False
        before, _, after = self.where.partition("_")
        return _fits_before(before, text, at) and _fits_after(after, text, at + len(self.word))


@cache
def load_overrides() -> Sequence[Override]:
    """Return all readings by first letter, the longer words first, else in the file's order."""
    source = files(__package__).joinpath("overrides.tsv").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in source.splitlines() if not line.startswith("#"))
    overrides = (Override(*line) for line in lines)
    return sorted(overrides, key=lambda one: (one.word[0], -len(one.word)))


def find_overrides(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kana of each word of the list in `text`, from left to right.

    Not by one pattern of all words: to compile it takes half a second.
    """
    by_first = _overrides_by_first()
    end = 0
    for at, letter in enumerate(text):
        if at < end or letter not in by_first:
            continue
        for override in by_first[letter]:
            if override.fits(text, at):
                end = at + len(override.word)
                yield at, end, override.kana
                break


@cache
def _overrides_by_first() -> Mapping[str, Sequence[Override]]:
    groups = groupby(load_overrides(), key=lambda one: one.word[0])
    return {first: tuple(group) for first, group in groups}


def _fits_before(texts: str, text: str, at: int) -> bool:
    """Whether what stands before `at` is what the left side of `where` asks for."""
    if texts == "*":
        return True
    if texts == "":
        return not _is_kanji(text[at - 1 : at])
    if texts == "^":
        return not (text[at - 1 : at].isalnum() or text[at - 1 : at] == "_")
    if texts.startswith("!"):
        return not _ends_with(texts[1:].split("/"), text, at)
    return _ends_with(texts.split("/"), text, at)


def _fits_after(texts: str, text: str, end: int) -> bool:
    """Whether what stands from `end` on is what the right side of `where` asks for."""
    if texts == "*":
        return True
    if texts == "":
        return not _is_kanji(text[end : end + 1])
    return any(text.startswith(one, end) for one in texts.split("/"))


def _ends_with(texts: Iterable[str], text: str, at: int) -> bool:
    return any(text.endswith(one, 0, at) for one in texts)


def _is_kanji(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff" or letter == "々"
