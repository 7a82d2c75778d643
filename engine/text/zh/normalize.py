"""Normalisation of Chinese text to simplified characters and six marks (compat SPEC 6.3).

In order: marks without a sound are removed, then each clause is rewritten rule by rule. Where
upstream misreads common notations, this does not: a thousands comma,
a fullwidth colon in a time, a unit letter that is no unit, a range before a measure word, a
duration in years, a sum in euros.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from sovdeck.engine.text.package_data import package_file
from sovdeck.engine.text.zh.numbers import cardinal, decimal, digits
from sovdeck.engine.text.zh.quantity import CURRENCIES, MEASURE_WORDS, UNIT_NAMES, UNITS

_REMOVED = str.maketrans("", "", " \t\r\u3000—《》【】<>{}()（）#&@“”^_|\\`")
_CLAUSE = re.compile(r"[^：、，；。？！,;?!]*(?:[：、，；。？！,;?!]”?|\Z)")
# Fullwidth letters, digits and the signs that mean something between digits.
_HALFWIDTH = str.maketrans(
    {
        chr(0xFEE0 + code): chr(code)
        for code in (*b"+-./:=%~", *range(48, 58), *range(65, 91), *range(97, 123))
    }
)
_MARKS = {
    "：": ",",
    "；": ",",
    "，": ",",
    "。": ".",
    "！": "!",
    "？": "?",
    "\n": ".",
    "·": ",",
    "、": ",",
    "$": ".",
    "/": ",",
    "~": "…",
    "～": "…",
    ":": ",",
    ";": ",",
}
# Placeholders for characters whose reading the user gave: they stay unchanged.
FIRST_PLACEHOLDER, LAST_PLACEHOLDER = "\U000f0000", "\U000ffffd"
_KEPT = re.compile(f"[^\u4e00-\u9fa5!?….,\\-{FIRST_PLACEHOLDER}-{LAST_PLACEHOLDER}]")
_REPEATED = re.compile(r"([!?…,.\-])[!?…,.\-]+")

_NUMBER = r"\d+(?:\.\d+)?"
_QUANTITY = rf"-?{_NUMBER}(?:%|℃|°C|度|摄氏度|{UNIT_NAMES})"
_OPERAND = r"(?:-?\d+(?:\.\d+)?[⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ]*|[A-Za-z][⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ]*)"
_ARITHMETIC = re.compile(rf"(?<![\d.])({_OPERAND})([-+×÷=])(?={_OPERAND})")
_OPERATORS = {"+": "加", "-": "减", "×": "乘", "÷": "除", "=": "等于"}
_TIME = r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?"
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        "阿尔法 贝塔 伽玛 德尔塔 艾普西龙 捷塔 依塔 西塔 艾欧塔 喀帕 拉姆达 缪 拗 克西 欧米克伦 派 "
        "肉 西格玛 套 宇普西龙 服艾 器 普赛 欧米伽".split(),
        strict=True,
    )
)
_SIGNS = {
    **_GREEK,
    **{letter.upper(): name for letter, name in _GREEK.items()},
    "ς": "西格玛",
    **{chr(0x2460 + n): cardinal(str(n + 1)) for n in range(10)},
}
_POWERS = {
    **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "零一二三四五六七八九", strict=True)),
    "ˣ": "",
    "ʸ": "",
    "ⁿ": "",
}


def normalize(text: str) -> str:
    """Characters U+4E00-9FA5, placeholders and `! ? … , . -`; a run of marks keeps its first."""
    text = re.sub(r"(?<=\d)[,，](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d)：(?=\d{2})", ":", text)
    text = text.translate(_REMOVED)
    text = "".join(_normalize_clause(clause.strip()) for clause in _CLAUSE.findall(text))
    text = text.replace("嗯", "恩").replace("呣", "母").replace("〇", "零").replace("...", "…")
    text = "".join(_MARKS.get(letter, letter) for letter in text)
    return _REPEATED.sub(r"\1", _KEPT.sub("", text))


def simplify(text: str) -> str:
    """Traditional characters to simplified ones, one by one."""
    return text.translate(_load_simplified())


@cache
def _load_simplified() -> dict[int, str]:
    source = package_file("opencc-python-reimplemented", "opencc/dictionary/TSCharacters.txt")
    rows = (line.split() for line in source.read_text(encoding="utf-8").splitlines())
    # The first choice of several is the usual one.
    # A form outside the range that is kept would be dropped: such a character stays as it is.
    return {
        ord(row[0]): row[1]
        for row in rows
        if len(row) > 1 and len(row[0]) == 1 and "\u4e00" <= row[1] <= "\u9fa5"
    }


def _normalize_clause(text: str) -> str:
    text = simplify(text).translate(_HALFWIDTH)
    for pattern, replace in _RULES:
        text = pattern.sub(replace, text)
    return "".join(_SIGNS.get(letter, letter) for letter in text)


def _spell_arithmetic(text: str) -> str:
    # Operands are shared, as in 3+5=8, so that a sign may come to stand between two later.
    while True:
        replaced = _ARITHMETIC.sub(lambda m: m[1] + _OPERATORS[m[2]], text)
        if replaced == text:
            return text
        text = replaced


def _date(match: re.Match[str]) -> str:
    year, month, day, kind = match.groups()
    spoken = f"{digits(year)}年"
    spoken += f"{cardinal(month)}月" if month else ""
    return spoken + (f"{cardinal(day)}{kind}" if day else "")


def _short_date(match: re.Match[str]) -> str:
    return f"{digits(match[1])}年{cardinal(match[3])}月{cardinal(match[4])}日"


def _time(hour: str, minute: str, second: str | None, half: bool = True) -> str:
    spoken = f"{cardinal(hour)}点"
    if minute == "30" and half:
        spoken += "半"
    elif minute != "00":
        spoken += f"{'零' if minute[0] == '0' else ''}{cardinal(minute)}分"
    if second is not None and second != "00":
        spoken += f"{'零' if second[0] == '0' else ''}{cardinal(second)}秒"
    return spoken


def _time_range(match: re.Match[str]) -> str:
    hour, minute, second, *until = match.groups()
    # Upstream tests the first minute for the half of the second time; it never gives 半 here.
    return f"{_time(hour, minute, second)}至{_time(until[0], until[1], until[2], half=False)}"


def _degrees(match: re.Match[str]) -> str:
    sign = "零下" if match[1] else ""
    return f"{sign}{decimal(match[2])}{'摄氏度' if match[3] == '摄氏度' else '度'}"


def _spell_quantity(match: re.Match[str]) -> str:
    number, more, measure = match.groups()
    spoken = "两" if number == "2" else cardinal(number)
    return spoken + ("多" if more == "+" else more or "") + measure


def _spell_sign(match: re.Match[str]) -> str:
    return f"{'负' if match[1] else ''}"


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
_RULES: tuple[_Rule, ...] = tuple(
    (re.compile(pattern, re.A), replace)
    for pattern, replace in (
        (
            r"(?<!\d)(\d{4}|\d{2}(?=年\d))年(?:(0?[1-9]|1[0-2])月(?:(0?[1-9]|[12]\d|3[01])([日号]))?)?",
            _date,
        ),
        (r"(?<!\d)(\d{4})([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01])(?!\d)", _short_date),
        (rf"(?<!\d){_TIME}[~-]{_TIME}(?!\d)", _time_range),
        (rf"(?<!\d){_TIME}(?!\d)", lambda m: _time(m[1], m[2], m[3])),
        (rf"({_QUANTITY})~(?={_QUANTITY})", lambda m: f"{m[1]}至"),
        (rf"(-?)({_NUMBER})(°C|℃|摄氏度|度)", _degrees),
        (rf"({_NUMBER})({UNIT_NAMES})(?![A-Za-z])", lambda m: m[1] + UNITS[m[2]]),
        (rf"([€£¥])({_NUMBER})", lambda m: decimal(m[2]) + CURRENCIES[m[1]]),
        (
            rf"(?<![\d.-])({_NUMBER})-(?={_NUMBER}(?:{MEASURE_WORDS}|%))",
            lambda m: f"{decimal(m[1])}到",
        ),
        (r".*", lambda m: _spell_arithmetic(m[0])),
        (r"[⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ]", lambda m: f"的{_POWERS[m[0]]}次方"),
        (r"(-?)(\d+)/(\d+)", lambda m: f"{_spell_sign(m)}{cardinal(m[3])}分之{cardinal(m[2])}"),
        (rf"(-?)({_NUMBER})%", lambda m: f"{_spell_sign(m)}百分之{decimal(m[2])}"),
        (r"(?<!\d)(?:\+?86)?1[3-9]\d{9}(?!\d)", lambda m: digits(m[0].lstrip("+"), "幺")),
        (
            r"(?<!\d)0(?:10|2\d|[3-9]\d{2})-?[2-9]\d{6,7}(?!\d)|(?<!\d)[2-9]\d{6,7}(?!\d)",
            lambda m: digits(m[0].replace("-", ""), "幺"),
        ),
        (r"(?<!\d)400-?\d{3}-?\d{4}(?!\d)", lambda m: digits(m[0].replace("-", ""), "幺")),
        (rf"(-?{_NUMBER})[-~](-?{_NUMBER})", lambda m: f"{decimal(m[1])}到{decimal(m[2])}"),
        (r"-(?=\d)", lambda m: "负"),
        (r"\d+(?:\.\d+){2,}", lambda m: "点".join(map(digits, m[0].split(".")))),
        (r"\d*\.\d+", lambda m: decimal(m[0])),
        (rf"(\d+)([多余几+]?)({MEASURE_WORDS})", _spell_quantity),
        (r"\d{3,}", lambda m: digits(m[0], "幺")),
        (r"\d+", lambda m: cardinal(m[0])),
        (r"/", lambda m: "每"),
        (r"[-+×÷=]", lambda m: {**_OPERATORS, "=": "等"}[m[0]]),
    )
)
