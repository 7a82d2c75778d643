"""Japanese against the compat vectors, and the texts people really have."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_vectors import Score, items

from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.symbols import SYMBOLS

# They move with a word's accent, which comes from the dictionary's edition: another one than the
# vectors'. The border between phrases, which reads as UNK, is left in.
ACCENT_MARKS = ("[", "]")


def ja(text: str) -> list[str]:
    return phonemize(text, "ja").phones


def test_vectors() -> None:
    plain, marked = Score(), Score()
    for item in items("text_ja.json"):
        read = phonemize(item["text"], "ja")
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
    assert phonemize("え！！?", "ja").normalized == "え！！?"
    assert phonemize("え!!?", "ja").normalized == "え!"


def test_inline_readings_and_words_win() -> None:
    assert ja("今日{こんにち}は") == ja("こんにちは")
    words = Lexicon({"東京": "ひがしきょう", "Python": "パイソン"})
    assert phonemize("東京へ", "ja", words).phones == ja("ひがしきょうへ")
    assert phonemize("東京{とうきょう}へ", "ja", words).phones == ja("とうきょうへ")
    assert phonemize("pythonです", "ja", words).phones == ja("パイソンです")
    assert phonemize("今日{こんにち}は", "ja").normalized == "今日は"


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
    program = "from sovdeck.engine.text.phonemize import phonemize; phonemize('こんにちは', 'ja')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b""


def test_readings_are_the_same_with_and_without_onnxruntime() -> None:
    program = (
        "import sys; {}\n"
        "from sovdeck.engine.text.phonemize import phonemize\n"
        "texts = ('何の話ですか。', '何と言った', '何で', '何を')\n"
        "print([phonemize(text, 'ja').phones for text in texts])"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program.format(before)], capture_output=True, check=True
        ).stdout
        for before in ("", "sys.modules['onnxruntime'] = None")
    ]
    assert said[0] == said[1] and b"UNK" in said[0]


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        # A verb after て, a noun after の and an adnominal open a phrase of their own.
        ("降っている", "f u ] cl t e UNK i [ r u"),
        ("もものうち", "m o [ m o n o UNK u [ ch i"),
        ("おはようございます", "o [ h a y o o g o z a i m a ] s u"),
        ("1234", "s e ] N UNK n i [ hy a k u UNK s a ] N j u u UNK y o ] N"),
        ("14", "j u [ u UNK y o ] N"),
        ("行こう", "i [ k o o"),
        ("犬が三匹", "i [ n u ] g a UNK s a [ N ] b i k i"),
    ],
)
def test_phrases_are_the_classic_ones(text: str, phones: str) -> None:
    assert " ".join(ja(text)) == phones


def test_an_accent_by_each_joining_rule() -> None:
    from sovdeck.engine.text.ja.accent_phrases import correct_accent_phrases

    def word(text: str, part: str, moras: int, chain: int) -> dict[str, object]:
        return {
            "string": text,
            "pos": part,
            "pos_group1": "一般",
            "ctype": "*",
            "mora_size": moras,
            "chain_flag": chain,
            "acc": 99,
        }

    for rule, own, wanted in [
        ("C1", 2, 5),
        ("C2", 2, 4),
        ("C3", 2, 3),
        ("C4", 2, 0),
        ("C5", 2, 1),
        ("名詞%F1", 2, 1),
        ("名詞%F2@1", 2, 1),
        ("名詞%F3@1", 2, 4),
        ("F4@-1", 2, 2),
        ("F5", 2, 0),
        ("P1", 0, 0),
        ("P2", 0, 4),
        ("P6", 2, 0),
        ("P14", 2, 5),
        ("動詞%F4@0/名詞%F5", 2, 0),
        ("*", 2, 1),
    ]:
        features = [word("い", "名詞", 3, -1), word("ろ", "名詞", 2, 1)]
        correct_accent_phrases(features, ["い,名詞,1/3,*", f"ろ,名詞,{own}/2,{rule}"], lambda _: 0)
        assert features[0]["acc"] == wanted, rule
    # Words that do not correspond to the dictionary lines keep the analyser's accent.
    features = [word("い", "名詞", 3, -1)]
    correct_accent_phrases(features, ["は,名詞,1/3,*"], lambda _: 0)
    assert features[0]["acc"] == 99
