"""Mandarin against the compat vectors, numbers, tones, and the user's own readings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_vectors import Score, items

from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.symbols import SYMBOLS
from sovdeck.engine.text.zh.normalize import normalize
from sovdeck.engine.text.zh.numbers import cardinal, decimal
from sovdeck.engine.text.zh.syllables import split_syllable


def zh(text: str) -> str:
    return " ".join(phonemize(text, "zh").phones)


def test_vectors() -> None:
    score = Score()
    for item in items("text_zh.json"):
        read = phonemize(item["text"], "zh")
        assert read.normalized == item["norm_text"], item["text"]
        assert read.word2ph == item["word2ph"], item["text"]
        score.add(item["text"], read.phones, item["phones"])
    print(score.report("zh"))
    assert score.error <= 0.03


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("2023年10月5日", "二零二三年十月五日"),
        ("20年前", "二十年前"),
        ("二〇二三", "二零二三"),
        ("12,345人", "一万二千三百四十五人"),
        ("3：30见", "三点半见"),
        ("10:05", "十点零五分"),
        ("8:30-9:15", "八点半至九点十五分"),
        ("2个", "两个"),
        ("12个", "十二个"),
        ("3-5个", "三到五个"),
        ("-3.5℃", "零下三点五度"),
        ("0.5%", "百分之零点五"),
        ("2²=4", "二的二次方等于四"),
        ("5km", "五千米"),
        ("Toms的", "的"),  # upstream reads the stray s as a second
        ("€5", "五欧元"),
        ("3/4", "四分之三"),
        ("13812345678", "幺三八幺二三四五六七八"),
        ("1" * 30, "幺" * 30),
    ],
)
def test_numbers(text: str, spoken: str) -> None:
    assert normalize(text) == spoken


def test_number_words() -> None:
    words = {
        "0": "零",
        "10": "十",
        "110": "一百一十",
        "105": "一百零五",
        "10500": "一万零五百",
        "20010": "二万零一十",
        "100000000": "一亿",
        "1000100": "一百万零一百",
    }
    assert {number: cardinal(number) for number in words} == words
    assert decimal("-.5") == "负零点五"


@pytest.mark.parametrize(
    ("pinyin", "phones"),
    [
        ("ni3", ("n", "i3")),
        ("an1", ("AA", "an1")),
        ("zhi1", ("zh", "ir1")),
        ("zi4", ("z", "i04")),
        ("yuan2", ("y", "van2")),
        ("ye4", ("y", "E4")),
        ("yan5", ("y", "En5")),
        ("lv4", ("l", "v4")),
        ("lü4", ("l", "v4")),
        ("nu:3", ("n", "v3")),
        ("xue2", ("x", "ve2")),
        ("er2", ("EE", "er2")),
        ("qu4", ("q", "v4")),
        ("blah1", None),
        ("", None),
        ("ni", None),
    ],
)
def test_syllables(pinyin: str, phones: tuple[str, str] | None) -> None:
    assert split_syllable(pinyin) == phones


def test_tones_in_running_speech() -> None:
    assert zh("老虎") == "l ao2 h u3"
    assert zh("展览馆") == "zh an2 l an2 g uan3"
    assert zh("不怕") == "b u2 p a4" and zh("看不懂") == "k an4 b u5 d ong3"
    assert zh("一天") == "y i4 t ian1" and zh("第一") == "d i4 y i1"
    assert zh("妈妈") == "m a1 m a5" and zh("桌子") == "zh uo1 z i05"
    assert zh("还书，还有") == "h uan2 sh u1 , h ai2 y ou3"


def test_a_chosen_pause_turns_every_comma() -> None:
    assert phonemize("甲￥乙，丙", "zh").phones.count("SP2") == 2
    assert phonemize("甲^乙", "zh").phones.count("SP3") == 1


def test_inline_readings_and_words_win() -> None:
    assert zh("汉字{han1 zi1}") == "h an1 z i01"
    assert zh("看汉字{zi1}") == zh("看汉字").replace("z i04", "z i01")
    assert zh("漢字{han1 zi1}") == "h an1 z i01"
    words = Lexicon({"银行": "yin1 xing1", "重庆": "zhong4 qing4", "x": "nonsense"})
    assert " ".join(phonemize("去银行，3次", "zh", words).phones).startswith("q v4 y in1 x ing1 ,")
    assert phonemize("去银行{hang2}", "zh", words).phones[4:] == ["h", "ang2"]
    assert phonemize("重庆", "zh", words).phones == ["zh", "ong4", "q", "ing4"]
    # Braces that are no reading are marks like any other.
    assert (
        phonemize("你{好}", "zh").normalized == "你好" and phonemize("你{", "zh").normalized == "你"
    )


def test_ten_thousand_characters() -> None:
    read = phonemize("今天是2023年10月5日，天气很好！" * 500 + "龘" * 100, "zh")
    assert len(read.normalized) > 8000 and sum(read.word2ph or []) == len(read.phones)


@settings(max_examples=80, deadline=None)
@given(
    st.text(max_size=40)
    | st.text(
        alphabet="你好一不儿子了个银行长2023年月日:：-~.%/²①α￥^{}ab1 ，。！…\n嗯哟㐀〇",
        max_size=40,
    )
)
def test_any_text_reads(text: str) -> None:
    read = phonemize(text, "zh")
    assert set(read.phones) <= set(SYMBOLS)
    assert read.word2ph is not None and len(read.word2ph) == len(read.normalized)
    assert sum(read.word2ph) == len(read.phones)
