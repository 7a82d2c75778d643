"""Cantonese against the compat vectors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_vectors import Score, items

from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.symbols import SYMBOLS
from sovdeck.engine.text.yue.g2p import split_syllable


def test_vectors() -> None:
    score = Score()
    for item in items("text_yue_small.json"):
        read = phonemize(item["text"], "yue")
        assert (read.normalized, read.word2ph) == (item["norm_text"], item["word2ph"])
        score.add(item["text"], read.phones, item["phones"])
    print(score.report("yue"))
    assert score.edits == 0


@pytest.mark.parametrize(
    ("jyutping", "phones"),
    [
        ("keoi5", ("Yk", "Yeoi5")),
        ("m4", ("Ym", "Ym4")),
        ("ng5", ("Yng", "Yg5")),
        ("ngaa4", ("Yng", "Yaa4")),
        ("aai1", ("Yaa", "Yi1")),
        ("gwo2", ("Ygw", "Yo2")),
        ("ong1", ("Yon", "Yg1")),
        ("xyz", ("UNK", "UNK")),
        ("", ("UNK", "UNK")),
    ],
)
def test_syllables(jyutping: str, phones: tuple[str, str]) -> None:
    assert split_syllable(jyutping) == phones


def test_inline_readings_win() -> None:
    assert phonemize("佢{keoi6}哋", "yue").phones[:2] == ["Yk", "Yeoi6"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet="佢哋唔係嘅冇23年%，。！…a{}㗎", max_size=30))
def test_any_text_reads(text: str) -> None:
    read = phonemize(text, "yue")
    assert set(read.phones) <= set(SYMBOLS)
    assert read.word2ph is not None and len(read.word2ph) == len(read.normalized)
    assert sum(read.word2ph) == len(read.phones)
