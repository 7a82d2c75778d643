"""The standard pronunciation rules of Korean between neighbouring syllables.

Source: National Institute of Korean Language, Standard Pronunciation (표준 발음법), articles
9-30, those that need no knowledge of word classes.
"""

from __future__ import annotations

from sovdeck.engine.text.ko.jamo import Syllable

# A final cluster: the consonant that stays, the one that moves to a following vowel.
_CLUSTERS = {
    "ㄳ": ("ㄱ", "ㅆ"),
    "ㄵ": ("ㄴ", "ㅈ"),
    "ㄺ": ("ㄹ", "ㄱ"),
    "ㄻ": ("ㄹ", "ㅁ"),
    "ㄼ": ("ㄹ", "ㅂ"),
    "ㄽ": ("ㄹ", "ㅆ"),
    "ㄾ": ("ㄹ", "ㅌ"),
    "ㄿ": ("ㄹ", "ㅍ"),
    "ㅄ": ("ㅂ", "ㅆ"),
}
_HIEUH_FINALS = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}  # finals with ㅎ, and without it
# Articles 8-11: seven sounds close a syllable.
_CLOSED_FINALS = {
    **dict.fromkeys("ㄲㅋㄳㄺ", "ㄱ"),
    **dict.fromkeys("ㅅㅆㅈㅊㅌㅎ", "ㄷ"),
    **dict.fromkeys("ㅍㅄㄿ", "ㅂ"),
    **dict.fromkeys("ㄼㄽㄾㅀ", "ㄹ"),
    "ㄵ": "ㄴ",
    "ㄶ": "ㄴ",
    "ㄻ": "ㅁ",
}
_ASPIRATED = {"ㄱ": "ㅋ", "ㄷ": "ㅌ", "ㅂ": "ㅍ", "ㅈ": "ㅊ"}
_TENSE = {"ㄱ": "ㄲ", "ㄷ": "ㄸ", "ㅂ": "ㅃ", "ㅅ": "ㅆ", "ㅈ": "ㅉ"}
_NASAL = {"ㄱ": "ㅇ", "ㄷ": "ㄴ", "ㅂ": "ㅁ"}


def pronounce(word: list[Syllable]) -> list[Syllable]:
    """Syllables of one word (no blanks), changed by their neighbours."""
    spoken = [Syllable(s.initial, s.vowel, s.final) for s in word]
    for left, right in zip(spoken, spoken[1:], strict=False):
        if left.final:
            _palatal(left, right)
            _aspirate(left, right)
            if right.initial == "ㅇ":
                _resyllabify(left, right)
            else:
                _tense(left, right)
                left.final = _CLOSED_FINALS.get(left.final, left.final)
                _assimilate(left, right)
    if spoken:
        spoken[-1].final = _CLOSED_FINALS.get(spoken[-1].final, spoken[-1].final)
    for syllable in spoken:
        _vowel(syllable)
    return spoken


def _palatal(left: Syllable, right: Syllable) -> None:
    """Article 17: 같이 -> 가치, 굳이 -> 구지, 닫히다 -> 다치다."""
    if right.vowel not in ("ㅣ", "ㅕ"):
        return
    if right.initial == "ㅇ" and left.final in ("ㄷ", "ㅌ", "ㄾ"):
        right.initial = "ㅈ" if left.final == "ㄷ" else "ㅊ"
        left.final = "ㄹ" if left.final == "ㄾ" else ""
    # 맏형 is no stem with an ending: 혀 and 혔 are.
    elif right.initial == "ㅎ" and left.final == "ㄷ" and right.final in ("", "ㅆ"):
        left.final, right.initial = "", "ㅊ"


def _aspirate(left: Syllable, right: Syllable) -> None:
    """Article 12: ㅎ joins a plain consonant, or is lost."""
    if left.final in _HIEUH_FINALS:
        if right.initial in _ASPIRATED and right.initial != "ㅂ":
            left.final, right.initial = _HIEUH_FINALS[left.final], _ASPIRATED[right.initial]
        elif right.initial == "ㅅ":
            left.final, right.initial = _HIEUH_FINALS[left.final], "ㅆ"
        elif right.initial == "ㅇ" or (right.initial == "ㄴ" and left.final != "ㅎ"):
            left.final = _HIEUH_FINALS[left.final]
    elif right.initial == "ㅎ":
        stays, last = _CLUSTERS.get(left.final, ("", left.final))
        plain = last if last == "ㅈ" else _CLOSED_FINALS.get(last, last)
        if plain in _ASPIRATED:
            left.final, right.initial = stays, _ASPIRATED[plain]


def _resyllabify(left: Syllable, right: Syllable) -> None:
    """Articles 13, 14: a final opens the next syllable: 음악을 -> 으마글, 값이 -> 갑씨."""
    if left.final in _CLUSTERS:
        left.final, right.initial = _CLUSTERS[left.final]
    elif left.final not in ("", "ㅇ"):
        right.initial, left.final = left.final, ""


def _tense(left: Syllable, right: Syllable) -> None:
    """Articles 23-25: after a closed final, and after some clusters of stems."""
    closed = _CLOSED_FINALS.get(left.final, left.final) in _NASAL
    if right.initial in _TENSE and (closed or left.final in ("ㄵ", "ㄼ", "ㄾ")):
        right.initial = _TENSE[right.initial]


def _assimilate(left: Syllable, right: Syllable) -> None:
    """Articles 18-20: 국물 -> 궁물, 독립 -> 동닙, 신라 -> 실라."""
    if right.initial == "ㄹ":
        if left.final == "ㄴ":
            left.final = "ㄹ"
        elif left.final in ("ㅁ", "ㅇ", *_NASAL):
            right.initial = "ㄴ"
    if right.initial == "ㄴ" and left.final == "ㄹ":
        right.initial = "ㄹ"
    if right.initial in ("ㄴ", "ㅁ"):
        left.final = _NASAL.get(left.final, left.final)


def _vowel(syllable: Syllable) -> None:
    """Article 5: 가져 -> 가저, 희망 -> 히망."""
    if syllable.initial in ("ㅈ", "ㅉ", "ㅊ") and syllable.vowel == "ㅕ":
        syllable.vowel = "ㅓ"
    elif syllable.initial != "ㅇ" and syllable.vowel == "ㅢ":
        syllable.vowel = "ㅣ"
