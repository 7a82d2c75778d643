"""Normalisation of English text to words the dictionary may have (compat SPEC 6.5)."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable

from sovdeck.engine.text.en.numbers import (
    cardinal,
    clock,
    digits,
    fraction,
    ordinal,
    twelve_hour_time,
    year_or_cardinal,
)

# Upstream meant to keep typographic apostrophes and loses them ("we’re" becomes "were"). The
# normalised text agrees with it; the phones keep the apostrophe, as this character.
APOSTROPHE = "\ue000"

_HALFWIDTH = str.maketrans(
    {
        **{chr(0xFEE0 + ord(c)): c for c in f"$%{string.ascii_letters}{string.digits}"},
        "。": ".",
        "！": "!",
        "？": "?",
        "’": APOSTROPHE,
    }
)
_OPERATORS = {
    "+": "plus",
    "-": "minus",
    "*": "times",
    "×": "times",
    "/": "divided by",
    "÷": "divided by",
    "=": "Equals",
}
_UNITS = {  # singular, plural; upstream reads kg, cm, mm and ml as letters
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "km": ("kilometer", "kilometers"),
    "kg": ("kilogram", "kilograms"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "ml": ("milliliter", "milliliters"),
    "m": ("meter", "meters"),
    "ft": ("foot", "feet"),
    "L": ("liter", "liters"),
    "tbsp": ("tablespoon", "tablespoons"),
    "tsp": ("teaspoon", "teaspoons"),
    "h": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "s": ("second", "seconds"),
    "°C": ("degree celsius", "degrees celsius"),
    "°F": ("degree fahrenheit", "degrees fahrenheit"),
}
_COINS = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
_AMOUNT = r"\d+(?:\.\d+)?"
_COIN = "[$£€]"
_LARGE = r"(?: (hundred|thousand|million|billion|trillion)\b)?"


def _money(sign: str, amount: str, large: str | None) -> str:
    one, many, small_one, small_many = _COINS[sign]
    whole, _, part = amount.partition(".")
    if large:
        return f"{amount} {large} {many}"
    big = f"{cardinal(int(whole))} {one if int(whole) == 1 else many}"
    coins = int((part + "00")[:2])
    if not coins:
        return big
    small = f"{cardinal(coins)} {small_one if coins == 1 else small_many}"
    return small if int(whole) == 0 else f"{big} and {small}"


def _decade(year: int) -> str:
    words = year_or_cardinal(year)
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match[2]]
    return f"{match[1]} {one if match[1] == '1' else many}"


def _decimal(match: re.Match[str]) -> str:
    return f"{cardinal(int(match[1]))} point {digits(match[2])}"


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
_UNIT_NAMES = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
# In upstream's order: each rule is applied to the result of those before.
_RULES: tuple[_Rule, ...] = (
    (re.compile(r"\b(\d+)\. ", re.A), lambda m: f"{ordinal(int(m[1]))}, "),
    (
        re.compile(r"(?<=\s)([-+*/×÷=])(?=\s+[-\d])|(?<=\d\s)([-+*/×÷=])(?=\s)", re.A),
        lambda m: _OPERATORS[m[1] or m[2]],
    ),
    (re.compile(r"(?<!\S)-(?=\d)", re.A), lambda m: "negative "),
    (re.compile(r"\d[\d,]*,\d+", re.A), lambda m: m[0].replace(",", "")),
    # Not upstream's: it adds a second half of the day to one that is written.
    (
        re.compile(r"\b(1[0-2]|0?[1-9])(?::([0-5]\d))? ?([ap])\.?m\b\.?", re.A | re.I),
        lambda m: twelve_hour_time(int(m[1]), int(m[2] or 0), m[3].lower()),
    ),
    (
        re.compile(r"\b([01]?\d|2[0-4]):([0-5]\d)\b(?!:)", re.A),
        lambda m: clock(int(m[1]), int(m[2])),
    ),
    (re.compile(rf"({_COIN})({_AMOUNT}){_LARGE}", re.A), lambda m: _money(m[1], m[2], m[3])),
    (re.compile(rf"({_AMOUNT})({_COIN})", re.A), lambda m: _money(m[2], m[1], None)),
    # Not upstream's: it reads "the 1990s" as seconds.
    (re.compile(r"\b([12]\d{2}0)s\b", re.A), lambda m: _decade(int(m[1]))),
    (re.compile(rf"({_AMOUNT}) ?({_UNIT_NAMES})(?![A-Za-z'{APOSTROPHE}])", re.A), _unit),
    (re.compile(r"(\d+)\.(\d+)", re.A), _decimal),
    (re.compile(r"\b(\d+)/(\d+)\b", re.A), lambda m: fraction(int(m[1]), int(m[2]))),
    (re.compile(r"(\d+)(?:st|nd|rd|th)\b", re.A), lambda m: ordinal(int(m[1]))),
    (re.compile(r"\d+", re.A), lambda m: year_or_cardinal(int(m[0]))),
)
_FIGURE = re.compile(r"[0-9]|[-+*/×÷=]\s+-")  # what every rule needs
_LONG_NUMBER = re.compile(r"\d{40,}", re.A)
_ABBREVIATIONS = (
    (re.compile(r"\b[iI]\.e\."), "that is"),
    (re.compile(r"\b[eE]\.g\."), "for example"),
)
_FOREIGN = re.compile(rf"[^ A-Za-z'.,?!\-{APOSTROPHE}]")
_CAPITAL = re.compile(r"(?<!^)(?<!\s)([A-Z])")
_REPEATED = re.compile(r"([!?…,.\-\s])[!?…,.\-]+")


def normalize(text: str) -> str:
    """Words, blanks, the marks `'.,?!-` and APOSTROPHE; every capital starts a word."""
    text = text.replace(APOSTROPHE, "").translate(_HALFWIDTH)
    if _FIGURE.search(text):
        # Nobody reads a number this long; int() would refuse the longest.
        text = _LONG_NUMBER.sub(lambda match: digits(match[0]), text)
        for pattern, replace in _RULES:
            text = pattern.sub(replace, text)
    if not text.isascii():
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
    text = text.replace("%", " percent")
    text = re.sub(r"\s", " ", text)
    for pattern, words in _ABBREVIATIONS:
        text = pattern.sub(words, text)
    text = _FOREIGN.sub("", text)
    text = _CAPITAL.sub(r" \1", text)
    return _REPEATED.sub(r"\1", text)
