"""Japanese against the compat vectors, and the texts people really have."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_vectors import Score, items

from engine.text.clean import clean
from engine.text.lexicon import Lexicon
from engine.text.symbols import SYMBOLS

# `[` and `]` move with the accent of a word, the border UNK with its phrasing: both come from
# the dictionary's edition, which is another one than the vectors'.
ACCENT_MARKS = ("[", "]", "UNK")


def ja(text: str) -> list[str]:
    return clean(text, "ja").phones


def test_vectors() -> None:
    plain, marked = Score(), Score()
    for item in items("text_ja.json"):
        read = clean(item["text"], "ja")
        assert read.normalized == item["norm_text"] and read.word2ph is None
        marked.add(item["text"], read.phones, item["phones"])
        plain.add(
            item["text"],
            [phone for phone in read.phones if phone not in ACCENT_MARKS],
            [phone for phone in item["phones"] if phone not in ACCENT_MARKS],
        )
    print(plain.report("ja without accent marks"))
    print(marked.report("ja with accent marks"))
    assert plain.error <= 0.005 and marked.error <= 0.03


def test_a_sentence_with_rise_fall_and_border() -> None:
    wanted = "t o [ o ky o o t a ] w a a n i UNK i [ k i m a sh o ] o !"
    assert " ".join(ja("東京タワーに行きましょう！")) == wanted


@pytest.mark.parametrize(
    ("text", "start"),
    [("ヴァイオリン", "b a"), ("ヴ", "b u"), ("ヴィーナス", "b i"), ("ヴォルト", "b o")],
)
def test_v_reads_as_b_and_never_as_unknown(text: str, start: str) -> None:
    assert " ".join(p for p in ja(text) if p not in "[]").startswith(start)


def test_marks_and_blanks() -> None:
    assert ja("あ、い。") == ["a", ",", "i", "."]
    assert ja("５０％") == ja("50％") and "UNK" not in ja("５０％")
    assert ja("10%")[-1] == "UNK"  # as upstream: only the fullwidth sign is read
    assert ja("ﾊﾛｰ") == ja("ハロー")
    assert clean("え！！?", "ja").normalized == "え！！?"
    assert clean("え!!?", "ja").normalized == "え!"


def test_inline_readings_and_words_win() -> None:
    assert ja("今日{こんにち}は") == ja("こんにちは")
    words = Lexicon({"東京": "ひがしきょう", "Python": "パイソン"})
    assert clean("東京へ", "ja", words).phones == ja("ひがしきょうへ")
    assert clean("東京{とうきょう}へ", "ja", words).phones == ja("とうきょうへ")
    assert clean("pythonです", "ja", words).phones == ja("パイソンです")
    assert clean("今日{こんにち}は", "ja").normalized == "今日は"


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "👍🏽", "{", "ー", "っっっ", "ゝ", "\ud800", "\x00"]
)
def test_odd_texts_never_raise(text: str) -> None:
    assert set(ja(text)) <= set(SYMBOLS)


def test_ten_thousand_characters() -> None:
    assert len(ja("今日は晴れ。" * 1000 + "あ" * 4000)) > 10000


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=40)
    | st.text(alphabet="あいアー漢字々ﾊﾞ12１％%。、「」…!? \nvVヴ゛", max_size=40)
)
def test_any_text_reads(text: str) -> None:
    assert set(ja(text)) <= set(SYMBOLS)


def test_nothing_is_printed_on_standard_output() -> None:
    import subprocess

    program = "from engine.text.clean import clean; clean('こんにちは', 'ja')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b""
