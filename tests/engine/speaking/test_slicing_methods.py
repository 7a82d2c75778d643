"""The six methods cut exactly where upstream cuts, lose nothing, and never crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.speak_table import SLICE_METHODS
from sovdeck.engine.speaking.slicing import SENTENCE_ENDS, cut_text, split_clauses, split_text

VECTORS = Path(__file__).resolve().parents[2] / "data" / "vectors/slicing.json"

MARKS = "，。？！,.?!~:：—…、;；- 　\n"
TEXTS = st.text(st.sampled_from("字あa1漢ン" + MARKS), max_size=60) | st.text(max_size=40)


def test_upstreams_vectors() -> None:
    compared = 0
    for item in json.loads(VECTORS.read_text("utf-8"))["items"]:
        for number, method in enumerate(SLICE_METHODS):
            expected = item[f"cut{number}"]
            if isinstance(expected, dict):  # upstream raises here
                expected = ""
            assert cut_text(item["text"], method) == expected, (item["text"], method)
            compared += 1
    assert compared >= 6 * 40


@pytest.mark.parametrize(
    ("method", "text", "expected"),
    [
        ("none", "...", "\n"),
        (
            "4clauses",
            "一。二。三。四。五。六。七。八。九。",
            "一。二。三。四。\n五。六。七。八。九。",
        ),
        ("50chars", "嗯……好的——没问题", "嗯。好的，没问题。"),
        ("zh_period", "一行。\n两行。", "一行\n\n两行"),
        ("en_period", "It costs 3.5 dollars. Yes! No...", "It costs 3.5 dollars\n Yes! No"),
        ("punct", "数字3.14在句中。结束；还有", "数字3.14在句中。\n结束；还有"),
    ],
)
def test_each_method(method: str, text: str, expected: str) -> None:
    assert cut_text(text, method) == expected


def kept(text: str) -> str:
    """What no method may lose: everything but marks and blanks."""
    return "".join(c for c in text if c not in MARKS and not c.isspace())


@pytest.mark.parametrize("method", SLICE_METHODS)
@given(text=TEXTS)
def test_no_method_loses_a_word(method: str, text: str) -> None:
    assert kept(cut_text(text, method)) == kept(text)


@given(text=TEXTS)
def test_clauses_lose_no_word(text: str) -> None:
    assert kept("".join(split_clauses(text))) == kept(text)


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(KeyError):
        cut_text("a", "cut1")


@pytest.mark.parametrize("method", SLICE_METHODS)
@given(text=TEXTS, language=st.sampled_from(["all_zh", "en", "ja"]))
def test_pieces_can_be_spoken(method: str, text: str, language: str) -> None:
    found = split_text(text, method, language)
    for piece in found:
        assert any(c.isalnum() for c in piece)
        assert piece[-1] in SENTENCE_ENDS
        assert "\n" not in piece and len(piece) <= 511
    # Pieces without a letter or digit are left out as a whole; words never are.
    letters = "".join(c for c in text if c.isalnum())
    assert "".join(c for p in found for c in p if c.isalnum()) == letters


def test_marks_alone_give_no_piece() -> None:
    for text in ("", "\n", "。。。", "!? ...", "——", "　"):
        for method in SLICE_METHODS:
            assert split_text(text, method, "zh") == []


def test_twenty_thousand_characters_without_a_mark() -> None:
    found = split_text("字" * 20_000, "none", "all_zh")
    assert max(map(len, found)) <= 510
    assert sum(piece.count("字") for piece in found) == 20_000


def test_short_pieces_join_and_short_starts_get_a_mark() -> None:
    assert split_text("短。这是一个比较长的句子。尾", "punct", "all_zh") == [
        "短。这是一个比较长的句子。尾。"
    ]
    assert split_text("短。这是一个比较长的句子。尾", "none", "all_zh") == [
        "。短。这是一个比较长的句子。尾。"
    ]
    assert split_text("Hello there. Good morning to you.", "en_period", "en") == [
        "Hello there.",
        " Good morning to you.",
    ]
    assert split_text("Hm, well then.", "none", "en") == [".Hm, well then."]
