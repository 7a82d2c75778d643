"""Numbers as Chinese characters."""

from __future__ import annotations

_DIGITS = "零一二三四五六七八九"
_GROUPS = ("", "万", "亿", "万亿", "亿亿")
_PLACES = ("", "十", "百", "千")
_MAX_DIGITS = 4 * len(_GROUPS)


def digits(text: str, one: str = "一") -> str:
    """2023 -> 二零二三. Telephone numbers read 1 as 幺."""
    return "".join(one if digit == "1" else _DIGITS[int(digit)] for digit in text)


def cardinal(text: str) -> str:
    """10500 -> 一万零五百. Longer than any counting word reaches: digit by digit."""
    text = text.lstrip("0")
    if not text:
        return "零"
    if len(text) > _MAX_DIGITS:
        return digits(text)
    spoken = ""
    gap = False  # whether a 零 must stand before the next digit
    for start, place in _groups(len(text)):
        group = text[start : start + (len(text) - 4 * place - start)]
        words, gap = _group(group, gap)
        spoken += words + (_GROUPS[place] if words else "")
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken


def decimal(text: str) -> str:
    """12.50 -> 十二点五零; -.5 -> 负零点五."""
    sign = "负" if text.startswith("-") else ""
    whole, _, part = text.lstrip("-").partition(".")
    return sign + cardinal(whole) + (f"点{digits(part)}" if part else "")


def _groups(length: int) -> list[tuple[int, int]]:
    """Start of each group of four digits, and its place counted from the right."""
    places = range((length - 1) // 4, -1, -1)
    return [(max(0, length - 4 * (place + 1)), place) for place in places]


def _group(group: str, gap: bool) -> tuple[str, bool]:
    words = ""
    for position, digit in enumerate(group):
        if digit == "0":
            gap = True
            continue
        words += ("零" if gap else "") + _DIGITS[int(digit)] + _PLACES[len(group) - 1 - position]
        gap = False
    return words, gap
