"""Words lost, repeated, swapped or leaked are found; a recogniser's mishearings are not faults.

Transcripts stand for the recogniser here: of the faulty text, with the slips of a real one. What
Whisper makes of spoken faults is measured in test_real_asr.py, where a model is given.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from spoken_faults import KINDS, SPLITS, damage

from sovdeck.engine.practice.dataset import load_sentences
from sovdeck.engine.speaking.asr_check import comparable_phones, compare_transcript
from sovdeck.engine.speaking.heard_phones import HeardSpeech, compare_phones

ENGLISH = [
    "The captain had promised a reward to whoever first discovered the island.",
    "Nobody in the village remembered when the old bridge had been built.",
    "She carefully folded the letter and placed it under the wooden table.",
    "Every evening the children gathered around the fire to listen to stories.",
    "The morning train to the northern mountains leaves from platform seven.",
    "Without another word he turned around and walked slowly towards the harbour.",
    "Large yellow flowers were growing between the broken stones of the garden.",
    "Our neighbour repairs bicycles and sometimes sells them at the market.",
]
CHINESE = [
    "春天来了，公园里的花都开了，孩子们在草地上奔跑。",
    "他每天早上六点起床，先跑步，然后再吃早饭去上班。",
    "图书馆的阅览室非常安静，只能听见翻书的声音。",
    "我们打算下个星期去北方旅行，看看那里的雪山。",
    "老师告诉学生，认真思考比快速回答更加重要。",
    "这座城市的夜晚灯火通明，街道上到处都是行人。",
]
TEXTS = [
    (language, text)
    for language, texts in (
        ("all_ja", load_sentences()),
        ("en", ENGLISH),
        ("all_zh", CHINESE),
    )
    for text in texts
]


def mishear(phones: list[str], rng: random.Random) -> list[str]:
    """Phones as a recogniser gets them: one of fifty is another, one of a hundred is lost."""
    vowels = [phone for phone in phones if phone[0] in "aeiou"]
    heard = []
    for phone in phones:
        luck = rng.random()
        if luck < 0.01:
            continue
        heard.append(rng.choice(vowels) if luck < 0.03 and phone in vowels else phone)
    return heard


def faults(count: int) -> Iterator[tuple[str, str, str, list[str], list[str]]]:
    """(kind, language, faulty text, phones of the text, phones heard)."""
    rng = random.Random(23)
    while count:
        language, text = rng.choice(TEXTS)
        kind = KINDS[count % len(KINDS)]
        words = SPLITS[language](text)
        damaged = damage(words, language, kind, rng)
        if damaged is None or not any(map(str.isalnum, "".join(damaged))):
            continue
        joined = (" " if language == "en" else "").join(damaged)
        expected = comparable_phones(text, language)
        said = comparable_phones(joined, language)
        if said == expected:
            continue
        count -= 1
        yield kind, language, joined, expected, mishear(said, rng)


@pytest.mark.long
def test_of_500_faults_at_most_one_of_a_hundred_is_missed() -> None:
    missed = [
        (kind, text)
        for kind, language, text, expected, heard in faults(500)
        if not compare_phones(expected, heard, language).is_doubtful
    ]
    assert len(missed) <= 5, missed


def test_of_500_good_sentences_at_most_one_of_a_hundred_is_doubted() -> None:
    rng = random.Random(7)
    doubted = 0
    for _ in range(500):
        language, text = rng.choice(TEXTS)
        expected = comparable_phones(text, language)
        doubted += compare_phones(expected, mishear(expected, rng), language).is_doubtful
    assert doubted <= 5


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        ("The captain had a reward to whoever first discovered the island.", "lost"),
        (
            "The captain had promised promised a reward to whoever first discovered the island.",
            "added",
        ),
        ("The captain had promised a reward to grandmother and her sister.", "different"),
    ],
)
def test_a_fault_says_what_it_is_and_where(heard: str, kind: str) -> None:
    (fault,) = compare_transcript(ENGLISH[0], heard, "en").faults
    assert fault.kind == kind
    expected = comparable_phones(ENGLISH[0], "en")
    assert expected[fault.start : fault.start + len(fault.expected)] == list(fault.expected)


def test_what_sounds_alike_is_no_fault() -> None:
    for text, heard in (
        ("We're going to meet there.", "Were going to meat there"),
        ("Katherine bought 2 books.", "Catherine bought two books."),
    ):
        found = compare_transcript(text, heard, "en")
        assert not found.is_doubtful, (heard, found)
    assert not compare_transcript("今日は雨です。", "きょうはあめです", "all_ja").is_doubtful
    assert not compare_transcript("他在图书馆。", "她再图书馆", "all_zh").is_doubtful


def test_nothing_understood_is_doubtful() -> None:
    for heard in ("", "...", "♪"):
        assert compare_transcript("今日は雨です。", heard, "all_ja") == HeardSpeech(1.0)
    assert compare_phones([], ["a"]).is_doubtful and compare_phones(["a"], []).is_doubtful
    assert compare_phones(["a", "b", "c"], ["a", "b", "c"]) == HeardSpeech(0.0)
