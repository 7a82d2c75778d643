"""Decomposition and composition of hangul syllables (Unicode 3.12)."""

from __future__ import annotations

from dataclasses import dataclass

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
_FIRST = 0xAC00
_LAST = 0xD7A3

# The phone table has eight vowels; the others are pronounced as two of them.
SPLIT_VOWELS = {
    "ㅘ": "ㅗㅏ",
    "ㅙ": "ㅗㅐ",
    "ㅚ": "ㅗㅣ",
    "ㅝ": "ㅜㅓ",
    "ㅞ": "ㅜㅔ",
    "ㅟ": "ㅜㅣ",
    "ㅢ": "ㅡㅣ",
    "ㅑ": "ㅣㅏ",
    "ㅒ": "ㅣㅐ",
    "ㅕ": "ㅣㅓ",
    "ㅖ": "ㅣㅔ",
    "ㅛ": "ㅣㅗ",
    "ㅠ": "ㅣㅜ",
}


@dataclass
class Syllable:
    """Initial, vowel and final as compatibility jamo; `final` may be empty."""

    initial: str
    vowel: str
    final: str = ""

    def __str__(self) -> str:
        code = INITIALS.index(self.initial) * len(VOWELS) + VOWELS.index(self.vowel)
        return chr(_FIRST + code * len(FINALS) + FINALS.index(self.final))


def is_hangul(letter: str) -> bool:
    """Whether `letter` is a precomposed hangul syllable."""
    return _FIRST <= ord(letter) <= _LAST


def decompose(letter: str) -> Syllable:
    """The jamo of a precomposed hangul syllable."""
    code, final = divmod(ord(letter) - _FIRST, len(FINALS))
    initial, vowel = divmod(code, len(VOWELS))
    return Syllable(INITIALS[initial], VOWELS[vowel], FINALS[final])
