"""Readings in braces belong to the word before them, and a text full of braces is read at once."""

from __future__ import annotations

import time

import pytest

from sovdeck.engine.text.lexicon import Lexicon

Spans = list[tuple[str, str, int]]


def spans_of(text: str, language: str) -> Spans:
    """(text, reading, place) of every span."""
    found = Lexicon().split_spans(text, language)
    return [(span.text, span.reading or "", span.start) for span in found]


@pytest.mark.parametrize(
    ("text", "language", "spans"),
    [
        ("汉字{zi4}好", "zh", [("汉", "", 0), ("字", "zi4", 1), ("好", "", 7)]),
        ("你{x}好{hao3}", "zh", [("你{x}", "", 0), ("好", "hao3", 4)]),
        ("好{hao3}{hao3}", "zh", [("好", "hao3", 0), ("{hao3}", "", 7)]),
        ("好{hao3}人{ren2}", "zh", [("好", "hao3", 0), ("人", "ren2", 7)]),
        ("好{ni3 hao3}", "zh", [("好{ni3 hao3}", "", 0)]),
        ("今日{きょう}は", "ja", [("今日", "きょう", 0), ("は", "", 7)]),
        ("a cat{K AE1 T}", "en", [("a ", "", 0), ("cat", "K AE1 T", 2)]),
    ],
)
def test_a_reading_belongs_to_the_word_before_it(text: str, language: str, spans: Spans) -> None:
    assert spans_of(text, language) == spans


def test_a_text_full_of_braces_takes_no_longer_than_any_other() -> None:
    """Each brace is looked at once; from the text's beginning it took minutes."""
    text = "`x = {1: 'y'}`\n" * 30_000
    began = time.process_time()
    assert spans_of(text, "en") == [(text, "", 0)]
    assert time.process_time() - began < 10
