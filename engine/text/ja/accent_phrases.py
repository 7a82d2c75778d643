"""Accent phrases as the classic OpenJTalk forms them.

pyopenjtalk-plus has rules and accents of its own; GPT-SoVITS was trained with the older ones.
Here the borders that differ are put back, and the accent of each phrase is worked out from
the dictionary's entries (Sagisaka and Sato's rules, as in the dictionary's last column).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

Feature = MutableMapping[str, Any]

_DIGITS, _UNITS = "一二三四五六七八九", "十百千万億"
_RULE = re.compile(r"(?:(?P<part>[^%/]+)%)?(?P<kind>[A-Z]\d+)(?:@(?P<add>-?\d+))?")


@dataclass(frozen=True)
class _DictionaryEntry:
    """Dictionary entry of a word: accent kernel (0: none) and its rules of joining."""

    accent: int
    rules: str


def correct_accent_phrases(
    features: Sequence[Feature], morphs: Sequence[str], accent_of_number: Callable[[str], int]
) -> None:
    """Correct chain flags and phrase accents of `features` in place.

    `morphs` are the dictionary lines of the same text. Where the two do not correspond word by
    word (numbers are rewritten between them), phrases stay as they are.
    `accent_of_number` gives the analyser's accent of a number read by itself.
    """
    _split_number_phrases(features, accent_of_number)
    entries = _dictionary_entries(features, morphs)
    for position in range(1, len(features)):
        before, word = features[position - 1], features[position]
        if word["chain_flag"] == 1 and _begins_phrase(before, word):
            word["chain_flag"] = 0
        elif word["chain_flag"] == 0 and before["pos"] == "感動詞" and word["pos"] == "動詞":
            word["chain_flag"] = 1
    for phrase in _phrases(features):
        words = [features[position] for position in phrase]
        known = [entries[position] for position in phrase if position in entries]
        # Digits in a row have accents of their own, which the analyser knows.
        digits = sum(word["pos_group1"] == "数" for word in words)
        if len(known) == len(words) and digits < 2:
            words[0]["acc"] = _phrase_accent(words, known)


def _begins_phrase(before: Mapping[str, Any], word: Mapping[str, Any]) -> bool:
    """Whether a new phrase begins: an independent word after a particle or an adnominal."""
    if before["pos"] == "連体詞":
        return True
    return before["pos"] == "助詞" and word["pos"] in ("動詞", "名詞") and not _is_suffix(word)


def _split_number_phrases(
    features: Sequence[Feature], accent_of_number: Callable[[str], int]
) -> None:
    """千|二百|三十|四: each digit after a unit opens a phrase."""
    for position in range(1, len(features)):
        before, word = features[position - 1], features[position]
        opens = _is_number(word, _DIGITS) and _is_number(before, _UNITS)
        if not opens or word["chain_flag"] != 1:
            continue
        word["chain_flag"] = 0
        phrase_start = position - 1
        while phrase_start and features[phrase_start]["chain_flag"] == 1:
            phrase_start -= 1
        written = "".join(part["string"] for part in features[phrase_start:position])
        # The analyser had given the accent of the longer phrase. 十 is flat before a digit.
        features[phrase_start]["acc"] = 0 if written == "十" else accent_of_number(written)


def _is_number(word: Mapping[str, Any], written: str) -> bool:
    return word["pos_group1"] == "数" and word["string"] in written


def _is_suffix(word: Mapping[str, Any]) -> bool:
    return word["pos_group1"] == "接尾" or word["pos_group1"] == "数"


def _phrases(features: Sequence[Feature]) -> Iterator[list[int]]:
    phrase: list[int] = []
    for position, word in enumerate(features):
        if word["chain_flag"] != 1 and phrase:
            yield phrase
            phrase = []
        phrase.append(position)
    if phrase:
        yield phrase


def _dictionary_entries(
    features: Sequence[Feature], morphs: Sequence[str]
) -> dict[int, _DictionaryEntry]:
    if len(features) != len(morphs):
        return {}
    found = {}
    for position, (word, line) in enumerate(zip(features, morphs, strict=True)):
        fields = line.split(",")
        accent = fields[-2].split("/")[0]
        if fields[0] == word["string"] and accent.isdigit():
            found[position] = _DictionaryEntry(int(accent), fields[-1])
    return found


def _phrase_accent(words: Sequence[Feature], entries: Sequence[_DictionaryEntry]) -> int:
    accent, moras = entries[0].accent, words[0]["mora_size"]
    for before, word, entry in zip(words, words[1:], entries[1:], strict=False):
        accent = _accent_after_joining(accent, moras, entry, before)
        moras += word["mora_size"]
    return accent


def _accent_after_joining(
    accent: int, moras: int, entry: _DictionaryEntry, before: Mapping[str, Any]
) -> int:
    """Accent of a phrase of `moras` and `accent` after one more word."""
    kind, add = _joining_rule(entry.rules, before)
    own = entry.accent
    results = {
        "F2": accent or moras + add,
        "F3": accent and moras + add,
        "F4": moras + add,
        "F5": 0,
        "C1": moras + own,
        "C2": moras + 1,
        "C3": moras,
        "C4": 0,
        "P1": own and moras + own,
        "P2": moras + (own or 1),
        "P6": 0,
        "P14": moras + own if own else accent,
    }
    return results.get(kind, accent)


def _joining_rule(rules: str, before: Mapping[str, Any]) -> tuple[str, int]:
    for match in _RULE.finditer(rules):
        part = match["part"]
        special = part == "特殊助動詞" and before["pos"] == "助動詞" and "特殊" in before["ctype"]
        if part is None or part == before["pos"] or special:
            return match["kind"], int(match["add"] or 0)
    return "", 0
