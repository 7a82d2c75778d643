"""What a Japanese text writes in signs and figures, in words (before OpenJTalk).

Only what GPT-SoVITS drops or misreads is rewritten here: its analyser reads plain numbers and
counters well. Kanji it has no reading for take that of their common form, or their Sino-Japanese
one from Unihan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from sovdeck.engine.text.aligned import AlignedText
from sovdeck.engine.text.han_variants import HAN, find_common_form, modern_form, old_forms
from sovdeck.engine.text.ja.g2p import is_readable, is_readable_within
from sovdeck.engine.text.ja.overrides import find_overrides
from sovdeck.engine.text.package_data import package_file
from sovdeck.engine.text.rules import DIGITS, RuleTable, rule

_N = r"\d+(?:\.\d+)?"
_KANJI_DIGITS = "〇一二三四五六七八九"
_TELEPHONE_DIGITS = "ゼロ イチ ニー サン ヨン ゴー ロク ナナ ハチ キュー".split()
_UNITS = {
    "°C": "度",
    "℃": "度",
    "°F": "華氏度",
    "°": "度",
    "‰": "パーミル",
    "%": "パーセント",
    "％": "パーセント",
    "km/h": "キロメートル毎時",
    "m/s": "メートル毎秒",
    "km²": "平方キロメートル",
    "km2": "平方キロメートル",
    "cm²": "平方センチメートル",
    "cm2": "平方センチメートル",
    "m²": "平方メートル",
    "m2": "平方メートル",
    "m³": "立方メートル",
    "m3": "立方メートル",
    "cm³": "立方センチメートル",
    "cm3": "立方センチメートル",
    "km": "キロメートル",
    "cm": "センチメートル",
    "mm": "ミリメートル",
    "μm": "マイクロメートル",
    "nm": "ナノメートル",
    "m": "メートル",
    "kg": "キログラム",
    "mg": "ミリグラム",
    "g": "グラム",
    "t": "トン",
    "ml": "ミリリットル",
    "mL": "ミリリットル",
    "dl": "デシリットル",
    "l": "リットル",
    "L": "リットル",
    "cc": "シーシー",
    "Hz": "ヘルツ",
    "kHz": "キロヘルツ",
    "MHz": "メガヘルツ",
    "GHz": "ギガヘルツ",
    "KB": "キロバイト",
    "MB": "メガバイト",
    "GB": "ギガバイト",
    "TB": "テラバイト",
    "Mbps": "メガビーピーエス",
    "Gbps": "ギガビーピーエス",
    "W": "ワット",
    "kW": "キロワット",
    "kWh": "キロワット時",
    "V": "ボルト",
    "A": "アンペア",
    "mAh": "ミリアンペアアワー",
    "dB": "デシベル",
    "kcal": "キロカロリー",
    "px": "ピクセル",
    "fps": "エフピーエス",
    "ms": "ミリ秒",
    "min": "分",
    "s": "秒",
}
_UNIT = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
_UNIT_LETTERS = "".join(_UNITS)
_COINS = {
    "¥": "円",
    "￥": "円",
    "$": "ドル",
    "US$": "ドル",
    "€": "ユーロ",
    "£": "ポンド",
    "₩": "ウォン",
    "₹": "ルピー",
    "₽": "ルーブル",
}
_COIN = "|".join(map(re.escape, sorted(_COINS, key=len, reverse=True)))
_FRACTIONS = {
    "½": "二分の一",
    "⅓": "三分の一",
    "⅔": "三分の二",
    "¼": "四分の一",
    "¾": "四分の三",
    "⅕": "五分の一",
    "⅖": "五分の二",
    "⅗": "五分の三",
    "⅘": "五分の四",
    "⅙": "六分の一",
    "⅚": "六分の五",
    "⅛": "八分の一",
    "⅜": "八分の三",
    "⅝": "八分の五",
    "⅞": "八分の七",
}
_OPERATORS = {
    "+": "プラス",
    "-": "マイナス",
    "*": "かける",
    "×": "かける",
    "÷": "わる",
    "=": "イコール",
    ">": "大なり",
    "<": "小なり",
    "≥": "大なりイコール",
    "≤": "小なりイコール",
    "≠": "ノットイコール",
    "≈": "ニアリーイコール",
    "≒": "ニアリーイコール",
}
_SIGNS = {
    "±": "プラスマイナス",
    "√": "ルート",
    "∞": "無限大",
    "≥": "大なりイコール",
    "≤": "小なりイコール",
    "≠": "ノットイコール",
    "≈": "ニアリーイコール",
    "≒": "ニアリーイコール",
    "×": "かける",
    "÷": "わる",
    "&": "アンド",
    "＆": "アンド",
    "@": "アットマーク",
    "＋": "プラス",
    "+": "プラス",
    "=": "イコール",
    "〒": "郵便番号",
    "→": "から",
    "©": "コピーライト",
    "²": "の二乗",
    "³": "の三乗",
    "%": "パーセント",
    "％": "パーセント",
    "‰": "パーミル",
    "℃": "度",
    "¥": "円",
    "￥": "円",
    "$": "ドル",
    "€": "ユーロ",
    "£": "ポンド",
    "§": "セクション",
}
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        "アルファ ベータ ガンマ デルタ イプシロン ゼータ イータ シータ イオタ カッパ ラムダ "
        "ミュー ニュー クサイ オミクロン パイ ロー シグマ シグマ タウ ユプシロン ファイ カイ "
        "プサイ オメガ".split(),
        strict=True,
    )
)
_GREEK |= {letter.upper(): name for letter, name in _GREEK.items() if letter != "ς"}
_SMALL_KANA = str.maketrans("ㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ", "クシストヌハヒフヘホムラリルレロ")
_CIRCLED = {chr(0x2460 + n): str(n + 1) for n in range(20)} | {"⓪": "0"}
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _each(text: str) -> str:
    return "".join(_KANJI_DIGITS[int(digit)] for digit in text)


def _decimal(match: re.Match[str]) -> str:
    whole = match[1] or "0"
    return f"{'零' if whole == '0' else whole}点{_each(match[2])}"


def _telephone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    return "、".join("".join(_TELEPHONE_DIGITS[int(d)] for d in group) for group in groups)


def _money(match: re.Match[str]) -> str:
    return f"{match[2].replace(',', '')}{match[3] or ''}{_COINS[match[1]]}"


def _month_day(match: re.Match[str]) -> str:
    year = f"{match[1]}年" if match[1] else ""
    return f"{year}{int(match[2])}月{int(match[3])}日"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    seconds = f"{int(match[3])}秒" if match[3] else ""
    if minute == 0 and not seconds:
        return f"{hour}時"
    return f"{hour}時{minute}分{seconds}"


def _operator(match: re.Match[str]) -> str:
    return _OPERATORS[match[0].strip()]


def _wave(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1] if match.start() else ""
    if _HAN.match(before) and _HAN.match(match.string, match.end()):
        return "から"
    if re.match("[\u3041-\u3096\u30a1-\u30faー]", before):
        return "ー" * min(2, len(match[0]))
    return "、"


_RULES = RuleTable(
    (
        rule(DIGITS, r"(?<=\d),(?=\d{3}(?!\d))", lambda m: ""),
        rule(
            "-–",
            r"(?<![\d-])(?:0\d{1,4}[-–]\d{1,4}[-–]\d{3,4}|\d{3}-\d{4}-\d{4}|0120[-–]\d{2,3}[-–]\d{3,4})(?![\d-])",
            _telephone,
        ),
        rule("〒-", r"〒 ?(\d{3})-?(\d{4})(?!\d)", lambda m: "郵便番号" + _telephone(m)),
        rule(
            (".", DIGITS),
            r"(?<![\d.])((?:19|20)\d\d)\.(0?[1-9]|1[0-2])\.(0?[1-9]|[12]\d|3[01])(?![\d.])",
            _month_day,
        ),
        rule("(（-", r"(?<![\d-])[(（]0\d{1,4}[)）][- ]?\d{1,4}-\d{3,4}(?![\d-])", _telephone),
        rule("-", r"(?<![\d-])(\d+)-(\d+)(?=で(?:勝|負|敗|引き分))", lambda m: f"{m[1]}対{m[2]}"),
        rule("/", r"(?<![\d/])(\d{4})/(\d{1,2})/(\d{1,2})(?![\d/])", _month_day),
        rule("-", r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?![\d-])", _month_day),
        rule("/", r"(?<![\d/])()(\d{1,2})/(\d{1,2})(?=[(（][月火水木金土日])", _month_day),
        rule(
            ":：",
            r"(?<![\d:：])([01]?\d|2[0-9])[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![\d:：])",
            _clock,
        ),
        rule(":：", rf"(?<![\d:：])({_N})[:：]({_N})(?![\d:：])", lambda m: f"{m[1]}対{m[2]}"),
        rule("/", r"(?<![\d/])(\d+)/(\d+)(?![\d/])", lambda m: f"{m[2]}分の{m[1]}"),
        rule(
            "".join(_FRACTIONS),
            rf"(\d+) ?([{''.join(_FRACTIONS)}])",
            lambda m: f"{m[1]}と{_FRACTIONS[m[2]]}",
        ),
        rule("".join(_FRACTIONS), f"[{''.join(_FRACTIONS)}]", lambda m: _FRACTIONS[m[0]]),
        rule(
            "¥￥$€£₩₹₽",
            rf"({_COIN}) ?(\d+(?:,\d{{3}})*(?:\.\d+)?)(千万|百万|万|億|兆)?",
            _money,
        ),
        rule(
            (DIGITS, "-~～–—"),
            r"(?<=[\d%％°C℃])[~～–—](?=-?\d)|(?<=[年月日時分円度個人本回])[-~～–—](?=\d)",
            lambda m: "から",
        ),
        rule(
            (DIGITS, "-"),
            rf"(?<![\d.A-Za-z-])({_N})-(?={_N}(?:{_UNIT}|円|人|個|年|月|日|時|分|回|本|歳|度))",
            lambda m: f"{m[1]}から",
        ),
        rule("-", r"(?<![\dA-Za-z)）])-(?=\d)", lambda m: "マイナス"),
        rule((DIGITS, _UNIT_LETTERS), rf"(?<=\d)({_UNIT})(?![A-Za-z0-9])", lambda m: _UNITS[m[1]]),
        rule(".", r"(?<![\d.])v?(\d+(?:\.\d+){2,})(?![\d.])", lambda m: "点".join(m[1].split("."))),
        rule(".", r"(?<![\d.])(\d*)\.(\d+)(?![\d.])", _decimal),
        rule(
            "+-*×÷=<>≥≤≠≈≒",
            r"(?<=[\dA-Za-z]) ?[-+*×÷=<>≥≤≠≈≒] ?(?=[\dA-Za-zマ])",
            lambda m: _operator(m) if m[0].strip() != "-" or "=" in m.string else m[0],
        ),
        rule(
            "²³⁴⁵⁶⁷⁸⁹⁰¹⁻ⁿ", "(?<=[\\w)])[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"の{m[0].translate(_POWERS)}乗"
        ),
        rule("№#＃", r"(?:No\.|#)(?=\d)", lambda m: "ナンバー"),
        rule("".join(_CIRCLED), "[①-⑳⓪]", lambda m: _CIRCLED[m[0]]),
        rule("".join(_GREEK), f"[{''.join(_GREEK)}]", lambda m: _GREEK[m[0]]),
        rule("".join(_SIGNS), f"[{re.escape(''.join(_SIGNS))}]", lambda m: _SIGNS[m[0]]),
        rule("～~", "[～~]+", _wave),
        rule("—–", "[—–]+", lambda m: "、" if m.start() else ""),
        rule("/_|\\", r"[/_|\\]", lambda m: "、"),
        rule("〆", "〆(?![切め])", lambda m: "しめ"),
        # A circle among figures is a zero, which the dictionary reads; alone it is called まる.
        rule(
            "〇",
            "(?<![〇一二三四五六七八九十百千])〇(?![〇一二三四五六七八九十百千])",
            lambda m: "まる",
        ),
    )
)
_SMALL = re.compile("[ㇰ-ㇿ]")
_HAN = re.compile(f"[{HAN}]")
_WORD_BEFORE = re.compile(f"[{HAN}々\u3041-\u3096\u30a1-\u30fa]*\\Z")
_WORD_AFTER = re.compile(f"[{HAN}々\u3041-\u3096\u30a1-\u30fa]*")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa々〇]")
_AROUND = 8  # characters of a word on either side
_UNIHAN_LINE = re.compile(r'^    "(.)": "([^"]+)",', re.MULTILINE)


def verbalize(text: AlignedText) -> AlignedText:
    """Return `text` with figures and signs in Japanese words."""
    text = text.map(_SMALL, lambda match: match.group().translate(_SMALL_KANA))
    text = text.write(find_overrides(text.text))
    text = text.map(old_forms(), lambda match: modern_form(match.group()))
    odd = [letter for letter in frozenset(text.text) if _is_kanji_without_sound(letter)]
    if odd:
        text = text.map(re.compile(f"[{''.join(odd)}]"), _spelled)
    return _RULES.apply(text)


def find_unread(text: str) -> list[int]:
    """Return the positions in verbalized `text` of characters Japanese has no sound for."""
    odd = {letter for letter in frozenset(text) if letter.isalnum() and not _has_sound(letter)}
    if not odd:
        return []
    pattern = re.compile(f"[{re.escape(''.join(odd))}]")
    return [match.start() for match in pattern.finditer(text) if not _in_compound(match)]


@lru_cache(maxsize=16384)
def _has_sound(letter: str) -> bool:
    if letter.isascii():
        return letter.isalnum()
    if _KANA.match(letter) is not None:
        return True
    return "\u4e00" <= letter <= "\u9fff" and is_readable(letter)


@lru_cache(maxsize=16384)
def _is_kanji_without_sound(letter: str) -> bool:
    return _HAN.match(letter) is not None and not _has_sound(letter)


def _in_compound(match: re.Match[str]) -> bool:
    """Whether the dictionary has the word around a kanji that it has not alone."""
    text, at = match.string, match.start()
    before = _WORD_BEFORE.search(text[max(0, at - _AROUND) : at])
    after = _WORD_AFTER.match(text[at : at + _AROUND])
    left = before.group() if before else ""
    return is_readable_within(left + (after.group() if after else ""), len(left))


def _spelled(match: re.Match[str]) -> str:
    """Return a kanji the dictionary lacks in its common form, or as Unihan reads it."""
    return match.group() if _in_compound(match) else _readable_form(match.group())


@lru_cache(maxsize=4096)
def _readable_form(kanji: str) -> str:
    common = find_common_form(kanji, _has_sound)
    if common != kanji:
        return common
    try:
        kanji.encode("euc_jis_2004")
    except UnicodeEncodeError:
        return kanji  # nobody writes it in Japan: better named than guessed
    return _unihan().get(kanji, kanji)


@cache
def _unihan() -> Mapping[str, str]:
    """Return Unihan's Sino-Japanese readings, in katakana."""
    source = package_file("pyopenjtalk-plus", "pyopenjtalk/_unihan_readings_map.py")
    return dict(_UNIHAN_LINE.findall(source.read_text(encoding="utf-8")))
