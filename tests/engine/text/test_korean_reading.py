"""Korean by the standard pronunciation rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.text.ko.jamo import decompose
from sovdeck.engine.text.ko.numbers import numbers_to_hangul
from sovdeck.engine.text.ko.pronunciation import pronounce
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.symbols import SYMBOLS


def spoken(word: str) -> str:
    return "".join(map(str, pronounce([decompose(letter) for letter in word])))


# Examples of the standard itself, article by article.
@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("닦다", "닥따"),
        ("키읔", "키윽"),
        ("옷", "옫"),
        ("꽃", "꼳"),
        ("앞", "압"),
        ("넋", "넉"),
        ("앉다", "안따"),
        ("넓다", "널따"),
        ("값", "갑"),
        ("닭", "닥"),
        ("삶", "삼"),
        ("놓고", "노코"),
        ("많고", "만코"),
        ("닿소", "다쏘"),
        ("놓는", "논는"),
        ("않네", "안네"),
        ("뚫네", "뚤레"),
        ("낳은", "나은"),
        ("많아", "마나"),
        ("각하", "가카"),
        ("맏형", "마텽"),
        ("좁히다", "조피다"),
        ("앉히다", "안치다"),
        ("꽃히", "꼬티"),
        ("옷이", "오시"),
        ("있어", "이써"),
        ("앞으로", "아프로"),
        ("값을", "갑쓸"),
        ("닭을", "달글"),
        ("음악을", "으마글"),
        ("강아지", "강아지"),
        ("굳이", "구지"),
        ("같이", "가치"),
        ("벼훑이", "벼훌치"),
        ("닫히다", "다치다"),
        ("국물", "궁물"),
        ("먹는", "멍는"),
        ("닫는", "단는"),
        ("밥물", "밤물"),
        ("담력", "담녁"),
        ("강릉", "강능"),
        ("독립", "동닙"),
        ("협력", "혐녁"),
        ("신라", "실라"),
        ("칼날", "칼랄"),
        ("국밥", "국빱"),
        ("깎다", "깍따"),
        ("덮개", "덥깨"),
        ("가져", "가저"),
        ("희망", "히망"),
        ("삼천원입니다", "삼처눠님니다"),
        ("값이", "갑씨"),
    ],
)
def test_standard_pronunciation(written: str, heard: str) -> None:
    assert spoken(written) == heard


@pytest.mark.parametrize(
    ("text", "hangul"),
    [
        ("3000원", "삼천원"),
        ("3시 5분", "세 시 오분"),
        ("20살", "스무 살"),
        ("21개", "스물한 개"),
        ("10000", "만"),
        ("12345", "만이천삼백사십오"),
        ("1,000원", "천원"),
        ("3.14", "삼점일사"),
        ("100000000", "일억"),
        ("AI", "에이아이"),
        ("50%", "오십퍼센트"),
        ("$5", "오달러"),
        ("010", "공일공"),
        ("0", "영"),
    ],
)
def test_numbers(text: str, hangul: str) -> None:
    assert numbers_to_hangul(text) == hangul


def test_phones() -> None:
    read = phonemize("안녕하세요, 왜?", "ko")
    assert " ".join(read.phones) == "ㅇ ㅏ ㄴ ㄴ ㅣ ㅓ ㅇ ㅎ ㅏ ㅅ ㅔ ㅇ ㅣ ㅗ , 空 ㅇ ㅗ ㅐ ?"
    assert read.word2ph is None and read.normalized == "안녕하세요, 왜?"
    assert phonemize("네", "ko").phones == ["ㄴ", "ㅔ", "."]
    assert phonemize("네{예}", "ko").phones == phonemize("예", "ko").phones
    assert phonemize("서울", "ko", Lexicon({"서울": "셔울"})).phones[1:3] == ["ㅣ", "ㅓ"]
    assert "停" in phonemize("네漢", "ko").phones


@settings(max_examples=80, deadline=None)
@given(
    st.text(max_size=40)
    | st.text(alphabet="값않닭있삶같이희강릉 3시21개AI%.,!?~\nㅋㅠ{}", max_size=40)
)
def test_any_text_reads(text: str) -> None:
    assert set(phonemize(text, "ko").phones) <= set(SYMBOLS)
