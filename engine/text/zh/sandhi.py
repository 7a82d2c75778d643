"""Tone sandhi: 不, 一, the neutral tone, third tones, and 儿 (SPEC 6.3)."""

from __future__ import annotations

from collections.abc import Callable

from sovdeck.engine.text.zh.neutral_tone import (
    FULL_TONE_WORDS,
    NEUTRAL_TONE_WORDS,
    SYLLABIC_ER_WORDS,
)
from sovdeck.engine.text.zh.words import Word, split_word

Tones = list[str]
_NEUTRAL_PARTICLES = frozenset("吧呢哈啊呐噻嘛吖嗨哦哒额滴哩哟喽啰耶喔诶的地得")
_QUANTIFIERS = frozenset("几有两半多各整每做是")
_MARKS = frozenset("!?…,.-")
_ALWAYS_JOINED = frozenset("小院儿 胡同儿 范儿 老汉儿 撒欢儿 寻老礼儿 妥妥儿 媳妇儿".split())


def apply_tone_sandhi(word: Word, tones: Tones) -> Tones:
    """Tone digits of each character of `word` in running speech."""
    rule: Callable[[Word, Tones], None]
    tones = list(tones)
    for rule in (_apply_bu_sandhi, _apply_yi_sandhi, _apply_neutral_tone, _apply_third_tone_sandhi):
        rule(word, tones)
    return tones


def apply_er_sandhi(word: Word, tones: Tones) -> Tones:
    """Tones after 儿 has joined the syllable before it; it stays a syllable of its own."""
    if not word.text.endswith("儿"):
        return tones
    tones = list(tones)
    if tones[-1] == "1":
        tones[-1] = "2"
    free = word.text in SYLLABIC_ER_WORDS or word.part_of_speech in ("a", "j", "nr")
    if word.text not in _ALWAYS_JOINED and free:
        return tones
    if len(tones) > 1 and tones[-1] in "25" and word.text[-2:] not in SYLLABIC_ER_WORDS:
        tones[-1] = tones[-2]
    return tones


def _apply_bu_sandhi(word: Word, tones: Tones) -> None:
    text = word.text
    if len(text) == 3 and text[1] == "不":
        tones[1] = "5"
        return
    for position, letter in enumerate(text[:-1]):
        if letter == "不" and tones[position + 1] == "4":
            tones[position] = "2"


def _apply_yi_sandhi(word: Word, tones: Tones) -> None:
    text = word.text
    if "一" not in text or text == "一":
        return
    if all(letter.isnumeric() for letter in text if letter != "一"):
        return
    if len(text) == 3 and text[1] == "一" and text[0] == text[2]:
        tones[1] = "5"
    elif text.startswith("第一"):
        tones[1] = "1"
    else:
        for position, letter in enumerate(text[:-1]):
            if letter != "一":
                continue
            if tones[position + 1] == "4":
                tones[position] = "2"
            elif text[position + 1] not in _MARKS:
                tones[position] = "4"


def _apply_neutral_tone(word: Word, tones: Tones) -> None:
    text = word.text
    if word.part_of_speech[:1] in ("n", "v", "a") and text not in FULL_TONE_WORDS:
        for position in range(1, len(text)):
            if text[position] == text[position - 1]:
                tones[position] = "5"
    unit = text.find("个")
    if text[-1] in _NEUTRAL_PARTICLES or _is_aspect(word) or _is_neutral_ending(word):
        tones[-1] = "5"
    elif text == "个" or (unit > 0 and _is_number_word(text[unit - 1])):
        tones[unit] = "5"
    elif _ends_in_neutral_tone(text):
        tones[-1] = "5"
    if len(text) > 1:
        first, second = split_word(text)
        if _ends_in_neutral_tone(first):
            tones[len(first) - 1] = "5"
        if _ends_in_neutral_tone(second):
            tones[-1] = "5"


def _ends_in_neutral_tone(text: str) -> bool:
    return text in NEUTRAL_TONE_WORDS or text[-2:] in NEUTRAL_TONE_WORDS


def _is_aspect(word: Word) -> bool:
    return word.text in ("了", "着", "过") and word.part_of_speech in ("ul", "uz", "ug")


def _is_neutral_ending(word: Word) -> bool:
    text = word.text
    if len(text) < 2:
        return False
    if text[-1] in "们子":
        return word.part_of_speech in ("r", "n") and text not in FULL_TONE_WORDS
    if text[-1] in "上下里":
        return word.part_of_speech in ("s", "l", "f")
    return text[-1] in "来去" and text[-2] in "上下进出回过起开"


def _is_number_word(letter: str) -> bool:
    return letter.isnumeric() or letter in _QUANTIFIERS


def _apply_third_tone_sandhi(word: Word, tones: Tones) -> None:
    length = len(word.text)
    if length == 2:
        _raise_pair(tones, 0, 2)
    elif length == 3:
        first, _ = split_word(word.text)
        border = len(first)
        if tones == ["3", "3", "3"]:
            tones[:] = ["2", "2", "3"] if border == 2 else ["3", "2", "3"]
        else:
            _raise_pair(tones, 0, border)
            _raise_pair(tones, border, 3)
            second = tones[border:]
            if second[:1] == ["3"] and set(second) != {"3"} and tones[border - 1] == "3":
                tones[border - 1] = "2"
    elif length == 4:
        _raise_pair(tones, 0, 2)
        _raise_pair(tones, 2, 4)


def _raise_pair(tones: Tones, start: int, end: int) -> None:
    """3-3 becomes 2-3."""
    if end - start == 2 and tones[start:end] == ["3", "3"]:
        tones[start] = "2"
