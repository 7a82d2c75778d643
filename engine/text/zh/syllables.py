"""A pinyin syllable as two phones: an initial, and a final with its tone (SPEC 6.3)."""

from __future__ import annotations

import re

from sovdeck.engine.text.symbols import is_known_phone

_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)([a-zü]+?)([1-5])")
_ZERO_INITIALS = {"a": "AA", "e": "EE", "o": "OO"}
_Y_FINALS = {"e": "E", "an": "En"}


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
