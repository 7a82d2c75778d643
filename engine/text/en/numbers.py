"""Numbers as English words, in the manner GPT-SoVITS v2 was trained with."""

from __future__ import annotations

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_POWERS = (
    "- thousand million billion trillion quadrillion quintillion sextillion septillion octillion "
    "nonillion decillion"
).split()
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """12345 -> twelve thousand, three hundred forty-five. Beyond decillions digit by digit."""
    if number < 0:
        return f"negative {cardinal(-number)}"
    if number >= 1000 ** len(_POWERS):
        return " ".join(_SMALL[int(digit)] for digit in str(number))
    groups = []
    power = 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            groups.append(_hundreds(group) + (f" {_POWERS[power]}" if power else ""))
        power += 1
    return ", ".join(reversed(groups)) or "zero"


def year_or_cardinal(number: int) -> str:
    """Numbers from 1001 to 2999 are read in pairs: 1999 -> nineteen ninety-nine."""
    if not 1000 < number < 3000 or number == 2000:
        return cardinal(number)
    century, rest = divmod(number, 100)
    if 2000 < number < 2010:
        return f"two thousand {_SMALL[rest]}"
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def ordinal(number: int) -> str:
    """22 -> twenty-second."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last in _ORDINALS:
        return words[:cut] + _ORDINALS[last]
    return words[:cut] + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def digits(text: str) -> str:
    """305 -> three zero five."""
    return " ".join(_SMALL[int(digit)] for digit in text)


def fraction(above: int, below: int) -> str:
    """3/4 -> three fourths, 1/2 -> one half, 6/1 -> six."""
    if below == 0:
        return f"{cardinal(above)} over zero"
    if below == 1:
        return cardinal(above)
    if below == 2:
        part = "half" if above == 1 else "halves"
    else:
        part = ordinal(below) + ("" if above == 1 else "s")
    return f"{cardinal(above)} {part}"


def clock(hour: int, minute: int) -> str:
    """13:30 -> one thirty p.m."""
    half = "a" if hour % 24 < 12 else "p"
    if minute == 0:
        return f"{cardinal(hour % 12 or 12)} o'clock {half}.m."
    return twelve_hour_time(hour % 12 or 12, minute, half)


def twelve_hour_time(hour: int, minute: int, half: str) -> str:
    """7 p -> seven p.m.; `hour` from 1 to 12, `half` a or p."""
    minutes = f" {'oh ' if minute < 10 else ''}{cardinal(minute)}" if minute else ""
    return f"{cardinal(hour)}{minutes} {half}.m."


def _hundreds(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    parts = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest:
        tens, ones = divmod(rest, 10)
        if rest < 20:
            parts.append(_SMALL[rest])
        else:
            parts.append(_TENS[tens] + (f"-{_SMALL[ones]}" if ones else ""))
    return " ".join(parts)
