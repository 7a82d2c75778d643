"""English against the compat vectors, numbers and prices, and words nobody listed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_vectors import Score, items

from sovdeck.engine.text.en.dictionary import load_homographs
from sovdeck.engine.text.en.g2p_network import predict_phones
from sovdeck.engine.text.en.normalize import normalize
from sovdeck.engine.text.en.numbers import cardinal, ordinal, year_or_cardinal
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.symbols import SYMBOLS


def en(text: str) -> str:
    return " ".join(phonemize(text, "en").phones)


def test_vectors() -> None:
    score = Score()
    for item in items("text_en.json"):
        read = phonemize(item["text"], "en")
        assert read.normalized == item["norm_text"], item["text"]
        assert read.word2ph is None
        score.add(item["text"], read.phones, item["phones"])
    print(score.report("en"))
    assert score.error <= 0.03


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$5.50", "five dollars and fifty cents"),
        ("£0.99", "ninety-nine pence"),
        ("$3 million", "three million dollars"),
        ("1,234,567", "one million, two hundred thirty-four thousand, five hundred sixty-seven"),
        ("4:05", "four oh five a.m."),
        ("0:15", "twelve fifteen a.m."),
        ("10:30 p.m. on", "ten thirty p.m. on"),
        ("at 7pm", "at seven p.m."),
        ("5 AM", "five a.m."),
        ("the 1990s", "the nineteen nineties"),
        ("1905", "nineteen oh five"),
        ("1 km and 2.5 km", "one kilometer and two point five kilometers"),
        ("21st", "twenty-first"),
        ("1/0", "one over zero"),
        ("9" * 45, " ".join(["nine"] * 45)),
    ],
)
def test_numbers(text: str, words: str) -> None:
    assert normalize(text) == words


def test_number_words() -> None:
    assert cardinal(0) == "zero" and cardinal(1000005) == "one million, five"
    assert cardinal(-12) == "negative twelve"
    assert ordinal(12) == "twelfth" and ordinal(40) == "fortieth" and ordinal(103).endswith("third")
    assert year_or_cardinal(2000) == "two thousand" and year_or_cardinal(2009).endswith("nine")


def test_typographic_apostrophes_are_heard() -> None:
    assert en("we’re here") == en("we're here") != en("were here")
    assert phonemize("we’re", "en").normalized == "were"  # as upstream's normalised text


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("I read it now", "I have read it"),
        ("please record it", "a record of it"),
        ("they live here", "a live show"),
        ("I used to go", "it was used well"),
        ("I will use it", "the use of it"),
    ],
)
def test_homographs_follow_their_neighbours(left: str, right: str) -> None:
    word = (
        set(left.split()) & set(right.split()) & {"read", "record", "live", "used", "use"}
    ).pop()
    as_part, otherwise, part = load_homographs()[word]
    if part in ("VBD", "VBN"):
        left, right = right, left
    assert " ".join(as_part) in en(left) and " ".join(otherwise) in en(right)


def test_possessives_and_compounds() -> None:
    assert en("cats's").endswith("AH0 Z") and en("Zord's").endswith("D Z")
    assert en("thirty-two") == "TH ER1 D IY2 T UW1"
    assert en("moonfish") == en("moon fish")
    assert predict_phones("blick") == ("B", "L", "IH1", "K")


def test_inline_readings_and_words_win() -> None:
    assert en("sovdeck{S AA1 V D EH2 K} rocks").startswith("S AA1 V D EH2 K R AA1 K S")
    words = Lexicon({"tomato": "T AH0 M AA1 T OW0"})
    phones = phonemize("Tomato, tomatoes", "en", words).phones
    assert phones[:6] == ["T", "AH0", "M", "AA1", "T", "OW0"] and "EY1" in phones[6:]


def test_short_texts_get_a_pause_in_front() -> None:
    assert phonemize("hi", "en").phones == [",", "HH", "AY1"]
    assert phonemize("", "en").phones == [","]


def test_ten_thousand_characters() -> None:
    assert len(phonemize("It costs $5.50 at 4:30, or 3/4 of 1,000,000. " * 220, "en").phones) > 9000
    assert phonemize("x" * 10000, "en").phones


@settings(max_examples=80, deadline=None)
@given(
    st.text(max_size=40)
    | st.text(alphabet="aAzZ'’-.,!? \n0123456789$£€%/:+=°kmsthL。！é", max_size=40)
)
def test_any_text_reads(text: str) -> None:
    assert set(phonemize(text, "en").phones) <= set(SYMBOLS)
