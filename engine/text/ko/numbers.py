"""Numbers and Latin letters in hangul."""

from __future__ import annotations

import re

_DIGITS = "영일이삼사오육칠팔구"
_PLACES = ("", "십", "백", "천")
_GROUPS = ("", "만", "억", "조", "경")
_NATIVE = ["", *"한 두 세 네 다섯 여섯 일곱 여덟 아홉".split()]
_NATIVE_TENS = ["", *"열 스물 서른 마흔 쉰 예순 일흔 여든 아흔".split()]
_COUNTERS = "시간|마리|가지|군데|그루|송이|켤레|개|명|살|시|잔|병|권|장|번|달|대|벌|채|척|통"
_COUNTED = re.compile(rf"(?<![\d.,])(\d{{1,2}}) ?({_COUNTERS})")
_NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+")
_DECIMAL = re.compile(r"(\d+)\.(\d+)")
_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "에이 비 시 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 아르 에스 티 유 브이 "
        "더블유 엑스 와이 제트".split(),
        strict=True,
    )
)
_SIGNS = {"%": "퍼센트", "$": "달러", "₩": "원", "€": "유로", "&": "앤드", "+": "더하기", "=": "은"}


def in_hangul(text: str) -> str:
    """3000원 -> 삼천원, 3시 -> 세 시, AI -> 에이아이."""
    text = re.sub(r"([$₩€])(\d+(?:,\d{3})*(?:\.\d+)?)", r"\2\1", text)
    text = _COUNTED.sub(lambda m: f"{_native(int(m[1]))} {m[2]}", text)
    text = _DECIMAL.sub(lambda m: f"{_sino(m[1])}점{_each(m[2])}", text)
    text = _NUMBER.sub(lambda m: _sino(m[0].replace(",", "")), text)
    text = "".join(_SIGNS.get(letter, letter) for letter in text)
    return "".join(_LETTERS.get(letter.lower(), letter) for letter in text)


def _native(number: int) -> str:
    """Counting numbers below 100 in the form before a counter."""
    if number == 0:
        return "영"
    if number == 20:
        return "스무"
    return _NATIVE_TENS[number // 10] + _NATIVE[number % 10]


def _each(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _sino(digits: str) -> str:
    """0 before other digits, or more digits than have names: one by one (telephones)."""
    if (digits.startswith("0") and len(digits) > 1) or len(digits) > 4 * len(_GROUPS):
        return _each(digits).replace("영", "공")
    if digits == "0":
        return "영"
    spoken = ""
    padded = digits.zfill(-(-len(digits) // 4) * 4)
    groups = [padded[i : i + 4] for i in range(0, len(padded), 4)]
    for place, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        words = "".join(
            ("" if digit == "1" and position < 3 else _DIGITS[int(digit)]) + _PLACES[3 - position]
            for position, digit in enumerate(group)
            if digit != "0"
        )
        if words == "일" and place == 1:
            words = ""
        if words or int(group):
            spoken += words + _GROUPS[place]
    return spoken
