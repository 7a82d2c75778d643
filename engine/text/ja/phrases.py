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
class _Entry:
    """What the dictionary says of a word: accent kernel (0: none) and how it joins."""

    accent: int
    rules: str


def rephrase(
    features: Sequence[Feature], morphs: Sequence[str], alone: Callable[[str], int]
) -> None:
    """Correct chain flags and phrase accents of `features` in place.

    `morphs` are the dictionary lines of the same text. Where the two do not correspond word by
    word (numbers are rewritten between them), phrases stay as they are. `alone` gives the
    analyser's accent of a number read by itself.
    """
    _part_numbers(features, alone)
    entries = _entries(features, morphs)
    for position in range(1, len(features)):
        before, word = features[position - 1], features[position]
        if word["chain_flag"] == 1 and _parts(before, word):
            word["chain_flag"] = 0
        elif word["chain_flag"] == 0 and before["pos"] == "感動詞" and word["pos"] == "動詞":
            word["chain_flag"] = 1
    for phrase in _phrases(features):
        words = [features[position] for position in phrase]
        known = [entries[position] for position in phrase if position in entries]
        # Digits in a row have accents of their own, which the analyser knows.
        digits = sum(word["pos_group1"] == "数" for word in words)
        if len(known) == len(words) and digits < 2:
            words[0]["acc"] = _accent(words, known)


def _parts(before: Mapping[str, Any], word: Mapping[str, Any]) -> bool:
    """Whether a new phrase begins: an independent word after a particle or an adnominal."""
    if before["pos"] == "連体詞":
        return True
    return before["pos"] == "助詞" and word["pos"] in ("動詞", "名詞") and not _is_suffix(word)


def _part_numbers(features: Sequence[Feature], alone: Callable[[str], int]) -> None:
    """千|二百|三十|四: each digit after a unit opens a phrase."""
    for position in range(1, len(features)):
        before, word = features[position - 1], features[position]
        opens = _is_number(word, _DIGITS) and _is_number(before, _UNITS)
        if not opens or word["chain_flag"] != 1:
            continue
        word["chain_flag"] = 0
        top = position - 1
        while top and features[top]["chain_flag"] == 1:
            top -= 1
        written = "".join(part["string"] for part in features[top:position])
        # The analyser had given the accent of the longer phrase. 十 is flat before a digit.
        features[top]["acc"] = 0 if written == "十" else alone(written)


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


def _entries(features: Sequence[Feature], morphs: Sequence[str]) -> dict[int, _Entry]:
    if len(features) != len(morphs):
        return {}
    found = {}
    for position, (word, line) in enumerate(zip(features, morphs, strict=True)):
        fields = line.split(",")
        accent = fields[-2].split("/")[0]
        if fields[0] == word["string"] and accent.isdigit():
            found[position] = _Entry(int(accent), fields[-1])
    return found


def _accent(words: Sequence[Feature], entries: Sequence[_Entry]) -> int:
    accent, moras = entries[0].accent, words[0]["mora_size"]
    for before, word, entry in zip(words, words[1:], entries[1:], strict=False):
        accent = _joined(accent, moras, entry, before)
        moras += word["mora_size"]
    return accent


def _joined(accent: int, moras: int, entry: _Entry, before: Mapping[str, Any]) -> int:
    """Accent of a phrase of `moras` and `accent` after one more word."""
    kind, add = _rule(entry.rules, before)
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


def _rule(rules: str, before: Mapping[str, Any]) -> tuple[str, int]:
    for match in _RULE.finditer(rules):
        part = match["part"]
        special = part == "特殊助動詞" and before["pos"] == "助動詞" and "特殊" in before["ctype"]
        if part is None or part == before["pos"] or special:
            return match["kind"], int(match["add"] or 0)
    return "", 0
