"""Chinese word segmentation with parts of speech, merged where tone sandhi crosses words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sovdeck.engine.text.zh.segmenter import load_segmenter
from sovdeck.engine.text.zh.syllables import read_syllables


@dataclass(frozen=True)
class Word:
    """A word and jieba's part of speech."""

    text: str
    part_of_speech: str


def cut_words(text: str) -> list[Word]:
    """Words of one clause, merged for sandhi."""
    tagged = [Word(pair.word, pair.flag) for pair in load_segmenter().tagger.cut(text)]
    for merge in (
        _merge_bu,
        _merge_yi,
        _merge_doubled,
        _merge_third_tones,
        _merge_third_tone_borders,
        _merge_er,
    ):
        tagged = merge(tagged)
    return tagged


@lru_cache(maxsize=8192)
def split_word(word: str) -> tuple[str, str]:
    """`word` split at its shortest part in the dictionary: 老虎|口 or 展览|馆."""
    first = min(load_segmenter().tokenizer.cut_for_search(word), key=len)
    if word.startswith(first):
        return first, word[len(first) :]
    return word[: -len(first)], first


def _merge_bu(words: list[Word]) -> list[Word]:
    """不 with the word it denies."""
    merged: list[Word] = []
    for word in words:
        if merged and merged[-1].text == "不":
            merged[-1] = replace(word, text="不" + word.text)
        else:
            merged.append(word)
    return merged


def _merge_yi(words: list[Word]) -> list[Word]:
    """看 一 看 as one verb; any other 一 with what it counts."""
    reduplicated: list[Word] = []
    position = 0
    while position < len(words):
        word = words[position]
        doubled = (
            word.text == "一"
            and reduplicated
            and position + 1 < len(words)
            and reduplicated[-1] == Word(words[position + 1].text, "v")
        )
        if doubled:
            reduplicated[-1] = replace(
                reduplicated[-1], text=f"{reduplicated[-1].text}一{reduplicated[-1].text}"
            )
            position += 2
        else:
            reduplicated.append(word)
            position += 1
    merged: list[Word] = []
    for word in reduplicated:
        if merged and merged[-1].text == "一":
            merged[-1] = replace(merged[-1], text="一" + word.text)
        else:
            merged.append(word)
    return merged


def _merge_doubled(words: list[Word]) -> list[Word]:
    merged: list[Word] = []
    for word in words:
        if merged and merged[-1].text == word.text:
            merged[-1] = replace(merged[-1], text=merged[-1].text + word.text)
        else:
            merged.append(word)
    return merged


def _merge_third_tones(words: list[Word]) -> list[Word]:
    return _merge_by_tones(words, lambda left, right: set(left) == set(right) == {"3"})


def _merge_third_tone_borders(words: list[Word]) -> list[Word]:
    return _merge_by_tones(words, lambda left, right: left[-1:] == right[:1] == "3")


def _merge_by_tones(words: list[Word], fits: Any) -> list[Word]:
    """Join neighbours of at most three syllables whose tones (as read alone) fit."""
    merged: list[Word] = []
    just_merged = False
    for position, word in enumerate(words):
        before = words[position - 1] if position else None
        just_merged = (
            before is not None
            and not just_merged
            and fits(isolated_tones(before.text), isolated_tones(word.text))
            and not (len(before.text) == 2 and before.text[0] == before.text[1])
            and len(before.text) + len(word.text) <= 3
        )
        if just_merged:
            merged[-1] = replace(merged[-1], text=merged[-1].text + word.text)
        else:
            merged.append(word)
    return merged


def _merge_er(words: list[Word]) -> list[Word]:
    merged: list[Word] = []
    for word in words:
        if word.text == "儿" and merged:
            merged[-1] = replace(merged[-1], text=merged[-1].text + "儿")
        else:
            merged.append(word)
    return merged


@lru_cache(maxsize=8192)
def isolated_tones(word: str) -> str:
    """Tone digits of a word read alone; "" stands for marks."""
    syllables = read_syllables(word)
    return "".join(s[-1] if s[-1:].isdigit() else "0" for s in syllables)
