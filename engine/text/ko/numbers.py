"""Numbers and Latin letters in hangul."""

from __future__ import annotations

import re

_DIGITS = "영일이삼사오육칠팔구"
_PLACES = ("", "십", "백", "천")
_GROUPS = ("", "만", "억", "조", "경")
_NATIVE = ["", *"한 두 세 네 다섯 여섯 일곱 여덟 아홉".split()]
_NATIVE_TENS = ["", *"열 스물 서른 마흔 쉰 예순 일흔 여든 아흔".split()]
_COUNTERS = (
    "시간|마리|가지|군데|그루|송이|켤레|그릇|자루|사람|조각|방울|바퀴|걸음|모금|뿌리|포기|다발|묶음|상자"
    "|봉지|접시|숟가락|마디|가닥|갈래|쌍|줄|칸|끼|판|캔|컵|곳|배(?![가-힣])|개(?!월|국|년|소)|명|살|시|잔|병|권|장|번|달(?!러)|대|벌|채|척|통"
)
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
_NAMES = str.maketrans(
    {**_SIGNS, **_LETTERS, **{letter.upper(): name for letter, name in _LETTERS.items()}}
)


def numbers_to_hangul(text: str) -> str:
    """3000원 -> 삼천원, 3시 -> 세 시, AI -> 에이아이."""
    text = re.sub(r"([$₩€])(\d+(?:,\d{3})*(?:\.\d+)?)", r"\2\1", text)
    text = _COUNTED.sub(_counted, text)
    text = _DECIMAL.sub(lambda m: f"{sino_korean(m[1])}점{_spell_digits(m[2])}", text)
    text = _NUMBER.sub(lambda m: sino_korean(m[0].replace(",", "")), text)
    return text.translate(_NAMES)


def _counted(match: re.Match[str]) -> str:
    """Counted things take native numbers; hours after noon and the day's 24 do not."""
    number, counter = int(match[1]), match[2]
    if counter in ("시", "시간") and number > 12:
        return f"{sino_korean(match[1])} {counter}"
    return f"{_native(number)} {counter}"


def _native(number: int) -> str:
    """Counting numbers below 100 in the form before a counter."""
    if number == 0:
        return "영"
    if number == 20:
        return "스무"
    return _NATIVE_TENS[number // 10] + _NATIVE[number % 10]


def _spell_digits(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def sino_korean(digits: str) -> str:
    """0 before other digits, or more digits than have names: one by one (telephones)."""
    if (digits.startswith("0") and len(digits) > 1) or len(digits) > 4 * len(_GROUPS):
        return _spell_digits(digits).replace("영", "공")
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
