"""Sentences as a voice says them that cuts, repeats or swaps words, or lets its reference leak."""

from __future__ import annotations

import random
from collections.abc import Callable

import jieba
import pyopenjtalk

from sovdeck.engine.speaking.asr_check import comparable_phones

KINDS = ("cut", "tail", "repeated", "swapped", "leaked")
REFERENCES = {
    "all_ja": "昨日は友達と一緒に映画を見ました。",
    "en": "Yesterday we watched a film together.",
    "all_zh": "昨天我和朋友一起看了电影。",
}


def japanese_words(text: str) -> list[str]:
    """Content words, each with the particles behind it."""
    found: list[str] = []
    for word in pyopenjtalk.run_frontend(text):
        bound = word["pos"] in ("助詞", "助動詞", "記号")
        if bound and found:
            found[-1] += word["string"]
        else:
            found.append(word["string"])
    return found


def chinese_words(text: str) -> list[str]:
    found: list[str] = []
    for word in jieba.cut(text):
        if not word.isalnum() and found:
            found[-1] += word
        else:
            found.append(word)
    return found


SPLITS: dict[str, Callable[[str], list[str]]] = {
    "all_ja": japanese_words,
    "en": str.split,
    "all_zh": chinese_words,
}


def audible(words: list[str], language: str) -> list[int]:
    """Places of words that are long enough to be told from a mishearing."""
    least = 2 if language == "all_zh" else 3
    return [
        index
        for index, word in enumerate(words)
        if any(map(str.isalnum, word)) and len(comparable_phones(word + "。", language)) >= least
    ]


def damage(words: list[str], language: str, kind: str, rng: random.Random) -> list[str] | None:
    """The words as a voice with this fault would say them; None where they allow none."""
    places = audible(words, language)
    if kind == "leaked":
        return [REFERENCES[language], *words]
    if kind == "tail":
        cut = rng.choice(places[len(places) // 2 :])
        return words[:cut]
    if kind == "cut":
        at = rng.choice(places)
        return words[:at] + words[at + 1 :]
    if kind == "repeated":
        at = rng.choice(places)
        return words[: at + 1] + words[at:]
    pairs = [(a, b) for a, b in zip(places, places[1:], strict=False) if b == a + 1]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return words[:a] + [words[b], words[a]] + words[b + 1 :]
