"""Syllables of Chinese in pinyin with tone digits, and each as two phones (SPEC 6.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

from pypinyin import Style
from pypinyin.converter import UltimateConverter
from pypinyin.core import Pinyin

from sovdeck.engine.text.symbols import is_known_phone

_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)([a-zü]+?)([1-5])")
_REMEMBERED = 16384  # words whose syllables are kept
_ZERO_INITIALS = {"a": "AA", "e": "EE", "o": "OO"}
_Y_FINALS = {"e": "E", "an": "En"}


@lru_cache(maxsize=4096)
def split_syllable(pinyin: str) -> tuple[str, str] | None:
    """`ni3` -> (n, i3), `an1` -> (AA, an1), `zhi1` -> (zh, ir1); None for what is no syllable.

    u after j, q, x and y is the front vowel, written v; v is also written ü or u:.
    """
    match = _SYLLABLE.fullmatch(pinyin.replace("u:", "v").replace("ü", "v"))
    if match is None:
        return None
    initial, final, tone = match.groups()
    if initial in ("j", "q", "x", "y") and final.startswith("u"):
        final = "v" + final[1:]
    if initial == "y":
        final = _Y_FINALS.get(final, final)
    elif initial in ("zh", "ch", "sh", "r") and final == "i":
        final = "ir"
    elif initial in ("z", "c", "s") and final == "i":
        final = "i0"
    elif not initial:
        initial = _ZERO_INITIALS.get(final[0], "")
    phone = final + tone
    return (initial, phone) if is_known_phone(initial) and is_known_phone(phone) else None


def read_syllables(text: str, errors: str | Callable[[str], list[str]] = "default") -> list[str]:
    """Return the syllables of `text` as pypinyin reads it, 5 for the neutral tone.

    `errors` says what becomes of characters without any, as in `pypinyin.lazy_pinyin`.
    """
    syllables: list[str] = _pinyin().lazy_pinyin(text, style=Style.TONE3, errors=errors)
    return syllables


@cache
def _pinyin() -> Pinyin:
    converter = UltimateConverter(neutral_tone_with_five=True)
    # pypinyin looks each word up, copies it and converts its tones anew whenever it comes.
    converter.convert = lru_cache(maxsize=_REMEMBERED)(converter.convert)
    return Pinyin(converter)
