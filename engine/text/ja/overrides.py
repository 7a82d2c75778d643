"""Common words that OpenJTalk's dictionary reads wrongly or not at all, with the right kana.

`overrides.tsv` holds `word<TAB>kana<TAB>where<TAB>example`; every line was checked against the
dictionary. Many words have two readings: `where` names the neighbours that decide for this one.
The user's own words win over it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple

_KANJI = "[\u3400-\u9fff々]"


class Override(NamedTuple):
    """`kana` for `word`, and a text in which it is read so."""

    word: str
    kana: str
    where: str
    example: str


@cache
def load_overrides() -> Sequence[Override]:
    """Return all readings by first letter, the longer words first, else in the file's order."""
    source = files(__package__).joinpath("overrides.tsv").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in source.splitlines() if not line.startswith("#"))
    overrides = (Override(*line) for line in lines)
    return sorted(overrides, key=lambda one: (one.word[0], -len(one.word)))


@cache
def build_override_pattern() -> re.Pattern[str]:
    """Return what finds the words where their neighbours allow it; a group for each reading."""
    # A letter begins each branch, so that the many words are told apart at once.
    branches = [
        f"{re.escape(first)}(?:{'|'.join(f'{_behind_first(one)}()' for one in group)})"
        for first, group in groupby(load_overrides(), key=lambda one: one.word[0])
    ]
    firsts = "".join(sorted({override.word[0] for override in load_overrides()}))
    return re.compile(f"(?=[{firsts}])(?:{'|'.join(branches)})")


def read_override(match: re.Match[str]) -> str:
    """Return the kana of what `build_override_pattern` found."""
    return load_overrides()[(match.lastindex or 0) - 1].kana


def override_pattern(override: Override) -> str:
    """Return the pattern of one reading: its word between the neighbours it asks for."""
    return re.escape(override.word[0]) + _behind_first(override)


def _behind_first(override: Override) -> str:
    """Return the pattern of one reading from the second letter of its word on."""
    before, _, after = override.where.partition("_")
    rest = re.escape(override.word[1:])
    return f"{_before(before, re.escape(override.word[0]))}{rest}{_after(after)}"


def _before(texts: str, first: str) -> str:
    """Return what looks back over the word's `first` letter."""
    if texts in ("", "^", "*"):
        look = {"": f"(?<!{_KANJI}", "^": r"(?<!\w", "*": "(?<="}[texts]
        return f"{look}{first})"
    if texts.startswith("!"):
        return "".join(f"(?<!{re.escape(text)}{first})" for text in texts[1:].split("/"))
    return f"(?:{'|'.join(f'(?<={re.escape(text)}{first})' for text in texts.split('/'))})"


def _after(texts: str) -> str:
    if texts in ("", "*"):
        return "" if texts else f"(?!{_KANJI})"
    return f"(?={'|'.join(map(re.escape, texts.split('/')))})"
