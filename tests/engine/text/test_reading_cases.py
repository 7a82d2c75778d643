"""Every text is read rightly, or the person is told which part is not."""

from __future__ import annotations

import pytest
from reading_cases import CASES, SHARED, Case, fault, load
from text_vectors import Score, items

from sovdeck.engine.text.reader import read_text

FILES = sorted(CASES.glob("*.tsv"))

# What GPT-SoVITS itself misreads or drops, and is read rightly when it is spoken.
READ_BETTER = {
    "zh": {
        "请拨打400-123-4567。",  # the dashes of a telephone number are no minus
        "5%~10%",  # 到 as in every other range
        "你好——世界",  # a dash is a pause
        "ＡＢＣ１２３",  # letters are read
        "iPhone手机很好用",
        "A股上涨",
        "x²加y³",
        "$100和￥200",  # sums of money
    },
    "ja": {
        "電話番号は090-1234-5678です。",  # digit by digit
        "10%の確率。",  # the half-width sign as well
        "行こう～",  # a long vowel
        "～から～まで",
        "3.14は円周率です。",  # one number
        "1,000円です。",
        "Hello.こんにちは！",  # English as English
        "iPhoneを買った。",
        "AIの時代です。",
        "ＡＢＣを覚える。",
        "ＯＫ！",
        "NHKのニュースを見た。",
        "　全角スペース　です。",
    },
    "en": set(),
    "yue": set(),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_text_reads_as_its_plain_writing(path: object) -> None:
    cases = load(path)  # type: ignore[arg-type]
    faults = {case.text: why for case in cases if (why := fault(case))}
    assert not faults, "\n".join(f"{text!r}: {why}" for text, why in faults.items())


def test_the_corpus_is_wide() -> None:
    cases = [case for path in FILES for case in load(path)]
    assert len(cases) >= 600 and len({(case.mode, case.text) for case in cases}) == len(cases)
    assert {path.stem for path in FILES} >= {"en", "ja", "ko", "yue", "zh"}
    assert all(case.kind for case in cases) and len({case.kind for case in cases}) >= 15


def test_the_shared_cases() -> None:
    faults = {case.text: why for case in load(SHARED) if (why := fault(case))}
    assert not faults


def test_a_wrong_reading_is_a_fault() -> None:
    assert fault(Case("en", "5 cats", "six cats", "")) and fault(Case("en", "hi", "!silent", ""))


@pytest.mark.parametrize(
    ("file", "language", "allowed"),
    [
        ("text_zh.json", "zh", 0.03),
        ("text_ja.json", "ja", 0.005),
        ("text_en.json", "en", 0.03),
        ("text_yue_small.json", "yue", 0.0),
    ],
)
def test_what_upstream_reads_rightly_is_spoken_the_same(
    file: str, language: str, allowed: float
) -> None:
    score = Score()
    for item in items(file):
        if item["text"] not in READ_BETTER[language]:
            got, wanted = read_text(item["text"], language).phones, item["phones"]
            if language == "ja":  # accent marks come from another edition of the dictionary
                got = [phone for phone in got if phone not in "[]"]
                wanted = [phone for phone in wanted if phone not in "[]"]
            score.add(item["text"], got, wanted)
    print(score.report(language))
    assert score.error <= allowed
