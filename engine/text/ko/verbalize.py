"""What a Korean text writes in signs and figures, in hangul (before `numbers`)."""

from __future__ import annotations

import re

from sovdeck.engine.text.aligned import AlignedText
from sovdeck.engine.text.ko.hanja import HANJA, HANJA_WORD, read_hanja, read_word
from sovdeck.engine.text.ko.jamo import decompose
from sovdeck.engine.text.ko.numbers import sino_korean
from sovdeck.engine.text.rules import DIGITS, RuleTable, rule

_N = r"\d+(?:,\d{3})*(?:\.\d+)?"
_DIGITS = "공일이삼사오육칠팔구"
_UNITS = {
    "°C": "도",
    "℃": "도",
    "°F": "화씨도",
    "°": "도",
    "‰": "퍼밀",
    "%": "퍼센트",
    "％": "퍼센트",
    "%p": "퍼센트포인트",
    "km/h": "킬로미터 매 시",
    "m/s": "미터 매 초",
    "km²": "제곱킬로미터",
    "km2": "제곱킬로미터",
    "cm²": "제곱센티미터",
    "cm2": "제곱센티미터",
    "m²": "제곱미터",
    "m2": "제곱미터",
    "m³": "세제곱미터",
    "m3": "세제곱미터",
    "cm³": "세제곱센티미터",
    "cm3": "세제곱센티미터",
    "km": "킬로미터",
    "cm": "센티미터",
    "mm": "밀리미터",
    "μm": "마이크로미터",
    "nm": "나노미터",
    "m": "미터",
    "kg": "킬로그램",
    "mg": "밀리그램",
    "g": "그램",
    "t": "톤",
    "ml": "밀리리터",
    "mL": "밀리리터",
    "dl": "데시리터",
    "l": "리터",
    "L": "리터",
    "cc": "시시",
    "Hz": "헤르츠",
    "kHz": "킬로헤르츠",
    "MHz": "메가헤르츠",
    "GHz": "기가헤르츠",
    "KB": "킬로바이트",
    "MB": "메가바이트",
    "GB": "기가바이트",
    "TB": "테라바이트",
    "Mbps": "메가비피에스",
    "Gbps": "기가비피에스",
    "W": "와트",
    "kW": "킬로와트",
    "kWh": "킬로와트시",
    "V": "볼트",
    "A": "암페어",
    "mAh": "밀리암페어시",
    "dB": "데시벨",
    "kcal": "킬로칼로리",
    "px": "픽셀",
    "fps": "프레임",
    "ms": "밀리초",
    "s": "초",
    "min": "분",
}
_UNIT = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
_UNIT_LETTERS = "".join(_UNITS)
_COINS = {
    "₩": "원",
    "￦": "원",
    "$": "달러",
    "US$": "달러",
    "€": "유로",
    "¥": "엔",
    "￥": "엔",
    "£": "파운드",
    "₹": "루피",
    "₽": "루블",
}
_COIN = "|".join(map(re.escape, sorted(_COINS, key=len, reverse=True)))
_FRACTIONS = {
    "½": "이분의 일",
    "⅓": "삼분의 일",
    "⅔": "삼분의 이",
    "¼": "사분의 일",
    "¾": "사분의 삼",
    "⅕": "오분의 일",
    "⅖": "오분의 이",
    "⅗": "오분의 삼",
    "⅘": "오분의 사",
    "⅙": "육분의 일",
    "⅚": "육분의 오",
    "⅛": "팔분의 일",
    "⅜": "팔분의 삼",
    "⅝": "팔분의 오",
    "⅞": "팔분의 칠",
}
_OPERATORS = {
    "+": " 더하기 ",
    "-": " 빼기 ",
    "*": " 곱하기 ",
    "×": " 곱하기 ",
    "÷": " 나누기 ",
    "=": "은 ",
}
_COMPARED = {">": "보다 크다 ", "<": "보다 작다 "}
_SIGNS = {
    "±": "플러스마이너스",
    "√": "루트",
    "∞": "무한대",
    "≥": "크거나 같다",
    "≤": "작거나 같다",
    "≠": "같지 않다",
    "≈": "약",
    "×": "곱하기",
    "÷": "나누기",
    "@": "골뱅이",
    "→": "에서",
    "&": "앤드",
    "°": "도",
    "²": "의 제곱",
    "³": "의 세제곱",
    "‰": "퍼밀",
    "£": "파운드",
    "¥": "엔",
    "￥": "엔",
}
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        "알파 베타 감마 델타 엡실론 제타 에타 세타 이오타 카파 람다 뮤 뉴 크사이 오미크론 "
        "파이 로 시그마 시그마 타우 입실론 파이 카이 프사이 오메가".split(),
        strict=True,
    )
)
_GREEK |= {letter.upper(): name for letter, name in _GREEK.items() if letter != "ς"}
_CIRCLED = {chr(0x2460 + n): str(n + 1) for n in range(20)} | {"⓪": "0"}
# Single letters of the keyboard: those the phone table lacks as the two they are made of.
_LETTERS = str.maketrans(
    {
        "ㅑ": "ㅣㅏ",
        "ㅒ": "ㅣㅐ",
        "ㅕ": "ㅣㅓ",
        "ㅖ": "ㅣㅔ",
        "ㅘ": "ㅗㅏ",
        "ㅙ": "ㅗㅐ",
        "ㅚ": "ㅗㅣ",
        "ㅛ": "ㅣㅗ",
        "ㅝ": "ㅜㅓ",
        "ㅞ": "ㅜㅔ",
        "ㅟ": "ㅜㅣ",
        "ㅠ": "ㅣㅜ",
        "ㅢ": "ㅡㅣ",
        "ㄳ": "ㄱㅅ",
        "ㄵ": "ㄴㅈ",
        "ㄶ": "ㄴㅎ",
        "ㄺ": "ㄹㄱ",
        "ㄻ": "ㄹㅁ",
        "ㄼ": "ㄹㅂ",
        "ㄽ": "ㄹㅅ",
        "ㄾ": "ㄹㅌ",
        "ㄿ": "ㄹㅍ",
        "ㅀ": "ㄹㅎ",
        "ㅄ": "ㅂㅅ",
    }
)
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _each(text: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in text)


def _telephone(match: re.Match[str]) -> str:
    return " ".join(_each(group) for group in re.findall(r"\d+", match[0]))


def _date(match: re.Match[str]) -> str:
    return f"{match[1]}년 {int(match[2])}월 {int(match[3])}일"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if not 0 < hour <= 12:
        spoken = f"{sino_korean(str(hour))} 시"
    else:
        spoken = f"{hour}시"
    spoken += f" {minute} 분" if minute else ""
    return spoken + (f" {int(match[3])} 초" if match[3] else "")


def _ratio(match: re.Match[str]) -> str:
    # In words at once: a number before 대 would count vehicles.
    if "." in match[0] or "," in match[0]:
        return f"{match[1]} 대비 {match[2]}"
    return f"{sino_korean(match[1])} 대 {sino_korean(match[2])}"


def _mixed(match: re.Match[str]) -> str:
    whole = sino_korean(match[1])
    closed = decompose(whole[-1]).final
    return f"{whole}{'과' if closed else '와'} {_FRACTIONS[match[2]]}"


def _money(match: re.Match[str]) -> str:
    return f"{match[2]}{match[3] or ''}{_COINS[match[1]]}"


def _temperature(number: str) -> str:
    return f"영하 {number[1:]}" if number.startswith("-") else number


_RULES = RuleTable(
    (
        rule(
            "-–)",
            r"(?<![\d-])(?:\+82[- ])?\(?0?\d{1,3}\)?[-–]\d{3,4}[-–]\d{4}(?![\d-])"
            r"|(?<![\d-])1\d{3}-\d{4}(?![\d-])",
            _telephone,
        ),
        rule(
            ("/.-", DIGITS),
            r"(?<![\d/.-])(\d{4})[/.-](0?[1-9]|1[0-2])[/.-](0?[1-9]|[12]\d|3[01])(?![\d/-])",
            _date,
        ),
        rule(":", r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])", _clock),
        rule("월", r"(?<!\d)(6|10)월", lambda m: "유월" if m[1] == "6" else "시월"),
        rule(")", r"(?<!\d)0\d{1,2}\) ?\d{3,4}-\d{4}(?![\d-])", _telephone),
        rule("1", r"(?<![\d.,])(11[249])(?=에|로|번|$)", lambda m: _each(m[1])),
        rule("1", r"(?<![\d.,])1(?=[만천백십])", lambda m: ""),
        rule("대", r"(?<!\d)(\d+) ?대 ?(\d+)(?!\d)", _ratio),
        rule(":", rf"(?<![\d:])({_N}):({_N})(?![\d:])", _ratio),
        rule(
            (DIGITS, "~～–—-"),
            rf"(?<![\d.A-Za-z])(-?{_N})(?:°C?|℃|도)?[~～–—-](-?{_N})(°C|℃|도)",
            lambda m: f"{_temperature(m[1])}도에서 {_temperature(m[2])}도",
        ),
        rule((DIGITS, "-"), rf"(?<![\d.])-({_N}) ?(?:°C|℃|도)", lambda m: f"영하 {m[1]}도"),
        rule("/", r"(?<![\d/])(\d+)/(\d+)(?![\d/])", lambda m: f"{m[2]}분의 {m[1]}"),
        rule(
            "".join(_FRACTIONS),
            rf"(\d+) ?([{''.join(_FRACTIONS)}])",
            _mixed,
        ),
        rule("".join(_FRACTIONS), f"[{''.join(_FRACTIONS)}]", lambda m: _FRACTIONS[m[0]]),
        rule(
            "₩￦$€¥￥£₹₽",
            rf"({_COIN}) ?({_N})(천만|백만|만|억|조)?(?:원|달러)?",
            _money,
        ),
        rule((DIGITS, "~～–—"), rf"(?<![\w.])({_N})[~～–—](?={_N})", lambda m: f"{m[1]}에서 "),
        rule(
            "~～–—",
            r"(?<=[가-힣%]) ?[~～–—] ?(?=\d|[일이삼사오육칠팔구십백영]+ 시)",
            lambda m: "에서 ",
        ),
        rule(
            "~～",
            r"(?<![가-힣])([월화수목금토일](?:요일)?)[~～](?=[월화수목금토일](?:요일)?(?![가-힣]))",
            lambda m: f"{m[1]}에서 ",
        ),
        rule("+", r"(?<![\w)+])\+(?=\d)", lambda m: "플러스 "),
        rule(
            (DIGITS, "-"),
            rf"(?<![\w.-])({_N})-(?={_N}(?:{_UNIT}|원|명|개|년|월|일|시|분|회|세|살|번))",
            lambda m: f"{m[1]}에서 ",
        ),
        rule("-", r"(?<![\dA-Za-z가-힣)])-(?=\d)", lambda m: "마이너스 "),
        rule(
            (DIGITS, _UNIT_LETTERS), rf"(?<=\d) ?({_UNIT})(?![A-Za-z0-9])", lambda m: _UNITS[m[1]]
        ),
        rule(
            (".", DIGITS),
            r"(?<![\d.])v?(\d+(?:\.\d+){2,})(?![\d.])",
            lambda m: "점".join(_each(part).replace("공", "영") for part in m[1].split(".")),
        ),
        rule(
            "+-*×÷=",
            r"(?<=[\dA-Za-z]) ?[+*×÷=] ?(?=[\dA-Za-z])",
            lambda m: _OPERATORS[m[0].strip()],
        ),
        rule("-=", r"(?<=\d) ?- ?(?=\d+[^=\n]{0,12}은 )", lambda m: " 빼기 "),
        rule("<>", r"(?<=\d) ?([<>]) ?(?=\d)", lambda m: _COMPARED[m[1]]),
        rule(
            "²³⁴⁵⁶⁷⁸⁹⁰¹⁻",
            "(?<=[\\w)])[⁰¹⁴⁵⁶⁷⁸⁹⁻][⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*",
            lambda m: f"의 {m[0].translate(_POWERS)}제곱",
        ),
        rule("№", r"No\.(?=\d)", lambda m: "넘버 "),
        rule("".join(_CIRCLED), "[①-⑳⓪]", lambda m: _CIRCLED[m[0]]),
        rule("".join(_GREEK), f"[{''.join(_GREEK)}]", lambda m: _GREEK[m[0]]),
        rule("".join(_SIGNS), f"[{re.escape(''.join(_SIGNS))}]", lambda m: _SIGNS[m[0]]),
        rule("—–", "[—–]+", lambda m: ", " if m.start() else ""),
        rule("()（）[]{}【】", r"[(（\[【]", lambda m: ", " if m.start() else ""),
        rule("()（）[]{}【】", r"[)）\]】]", lambda m: ", " if m.end() < len(m.string) else ""),
        rule("\"'“”‘’「」『』《》〈〉*_`#|", "[\"'“”‘’「」『』《》〈〉*_`#|]", lambda m: ""),
        rule("/·\\", r"[/·\\]", lambda m: ", "),
    )
)
_COMPOUND = re.compile("[ㅑㅒㅕㅖㅘㅙㅚㅛㅝㅞㅟㅠㅢㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ]")


def verbalize(text: AlignedText) -> AlignedText:
    """Return `text` with figures, signs and hanja in hangul."""
    if HANJA.search(text.text):
        text = text.sub(HANJA_WORD, read_word).map(HANJA, read_hanja)
    text = _RULES.apply(text)
    return text.map(_COMPOUND, lambda match: match.group().translate(_LETTERS))


_COUNTED = re.compile("[^\\W_A-Za-z0-9\uac00-\ud7a3ㄱ-ㅎㅏㅐㅓㅔㅗㅜㅡㅣ]")


def find_unread(text: str) -> list[int]:
    """Return the positions in verbalized `text` of characters Korean has no sound for."""
    return [match.start() for match in _COUNTED.finditer(text)]
