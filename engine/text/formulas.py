"""Formulas of single letters, in the language around them: `A+B=C` in Chinese is A加B等于C.

They are written out before a text is split by script, which would leave the signs to English.
"""

from __future__ import annotations

import re

from sovdeck.engine.text.aligned import AlignedText
from sovdeck.engine.text.rules import DIGITS
from sovdeck.engine.text.segment import UNITS

_WORDS = {
    "zh": dict(
        zip(
            "+-*×÷=<>≥≤≠≈",
            "加 减 乘 乘 除以 等于 小于 大于 大于等于 小于等于 不等于 约等于".split(),
            strict=True,
        )
    ),
    "yue": dict(
        zip(
            "+-*×÷=<>≥≤≠≈",
            "加 减 乘 乘 除以 等于 小于 大于 大于等于 小于等于 不等于 约等于".split(),
            strict=True,
        )
    ),
    "ja": dict(
        zip(
            "+-*×÷=<>≥≤≠≈",
            (
                "プラス マイナス かける かける わる イコール 小なり 大なり "
                "大なりイコール 小なりイコール ノットイコール ニアリーイコール"
            ).split(),
            strict=True,
        )
    ),
    "ko": dict(
        zip(
            "+-*×÷=<>≥≤≠≈",
            (
                " 더하기 , 빼기 , 곱하기 , 곱하기 , 나누기 ,은 , 작다 , 크다 ,"
                " 크거나 같다 , 작거나 같다 , 같지 않다 , 약 "
            ).split(","),
            strict=True,
        )
    ),
}
# Money whose sign begins with letters.
_COINS = {
    "HK": {"zh": "港元", "yue": "港元", "ja": "香港ドル", "ko": "홍콩달러"},
    "US": {"zh": "美元", "yue": "美元", "ja": "ドル", "ko": "달러"},
    "NT": {"zh": "新台币", "yue": "新台幣", "ja": "台湾ドル", "ko": "대만달러"},
    "A": {"zh": "澳元", "yue": "澳元", "ja": "豪ドル", "ko": "호주달러"},
    "C": {"zh": "加元", "yue": "加元", "ja": "カナダドル", "ko": "캐나다달러"},
    "S": {"zh": "新加坡元", "yue": "新加坡元", "ja": "シンガポールドル", "ko": "싱가포르달러"},
}
# A number and the word before it: No.5.
_NUMBERED = {"zh": "第", "yue": "第", "ja": "ナンバー", "ko": "넘버 "}
_POWERS = {
    "zh": ("的平方", "的立方"),
    "yue": ("嘅平方", "嘅立方"),
    "ja": ("の二乗", "の三乗"),
    "ko": ("의 제곱", "의 세제곱"),
}
# The figure of a technical term (5G, MP3, H2O) is said in English, in Japanese and Korean too.
_ENGLISH_DIGITS = {
    "ja": "ゼロ ワン ツー スリー フォー ファイブ シックス セブン エイト ナイン".split(),
    "ko": "제로 원 투 쓰리 포 파이브 식스 세븐 에이트 나인".split(),
}
# Terms whose figure is said in Japanese: sizes of screens and paper, levels of the language test.
_JAPANESE_TERM = re.compile(r"[2468]K|[AB]\d|N[1-5]")
_JAPANESE_DIGITS = "ゼロ イチ ニー サン ヨン ゴー ロク ナナ ハチ キュー".split()
# Latin letters with a capital and single figures among them; what is a number and its unit is none.
_TERM = re.compile(
    rf"(?<![A-Za-z\d.,\-{{])(?!\d(?:{UNITS}|A)(?![A-Za-z\d]))(?=[a-z\d]*[A-Z])"
    r"(?:[A-Za-z]+\d|\d[A-Za-z]+)(?:[A-Za-z]+\d?)*(?![A-Za-z\d.\-]*[A-Za-z\d])"
    r"(?![^{}]*\})"  # a reading in braces is written in such words too: {S OW1}
)
_OPERAND = r"(?:\d+(?:\.\d+)?[A-Za-z]?|[A-Za-z][²³]?)"
_OPERATORS = "+*×÷=<>≥≤≠≈"
# What stands in braces is a reading, never a formula.
_FORMULA = re.compile(
    rf"\{{[^{{}}]*\}}"
    r"|(?<![A-Za-z])(?P<coin>HK|US|NT|[ACS])\$ ?(?P<amount>\d[\d,]*(?:\.\d+)?)"
    r"|(?<![A-Za-z])(?P<numbered>[Nn][Oo]\. ?)(?=\d)"
    r"|(?<![A-Za-z\d.])(?P<power>[A-Za-z][²³])(?![A-Za-z\d+×÷=<>≥≤≠≈ ])"
    rf"|(?<![A-Za-z\d.]){_OPERAND}(?: ?[-{_OPERATORS}] ?{_OPERAND})+(?![A-Za-z\d.])"
)


def verbalize_formulas(text: AlignedText, language: str) -> AlignedText:
    """Write the signs between letters as words of `language`; English has its own rules."""
    words = _WORDS.get(language)
    if language in _ENGLISH_DIGITS and not frozenset(text.text).isdisjoint(DIGITS):
        text = text.sub(_TERM, lambda match: _say_figures(match.group(), language))
    if words is None or frozenset(text.text).isdisjoint(_OPERATORS + "$²³."):
        return text

    def write_out(match: re.Match[str]) -> str:
        formula = match.group()
        if match["coin"]:
            return match["amount"].replace(",", "") + _COINS[match["coin"]][language]
        if match["numbered"]:
            return _NUMBERED[language]
        if match["power"]:
            return formula[0] + _POWERS[language][formula[1] == "³"]
        with_letters = any(letter.isalpha() and letter.isascii() for letter in formula)
        if formula[0] == "{" or not with_letters or frozenset(formula).isdisjoint(_OPERATORS):
            return formula
        return "".join(words.get(sign, sign) for sign in formula if sign != " ")

    return text.sub(_FORMULA, write_out)


def _say_figures(term: str, language: str) -> str:
    digits = _ENGLISH_DIGITS[language]
    if language == "ja" and _JAPANESE_TERM.fullmatch(term):
        digits = _JAPANESE_DIGITS
    return "".join(digits[int(sign)] if sign in DIGITS else sign for sign in term)
