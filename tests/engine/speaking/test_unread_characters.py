"""What cannot be said, or hardly fits, is told with the take; silence is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking import pipeline
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.slicing import split_in_two, split_text
from sovdeck.engine.speaking.takes import SpokenChunk
from sovdeck.engine.text.reader import LostCharacter, Reading, find_lost, read_text

Ask = Callable[..., SpeakRequest]


@pytest.mark.parametrize("text", ["สวัสดีครับ", "Здравствуйте, мир!"])
def test_a_text_of_another_language_is_refused_before_any_sound(
    speaker: SpeechPipeline, ask: Ask, text: str
) -> None:
    with pytest.raises(Problem) as refused:
        speaker.speak(ask(text), lambda chunk: pytest.fail("it made a sound"))
    assert refused.value.key == "engine.text.unreadable"


def test_lost_characters_are_told_with_the_take(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("おはよう мир ございます。"))
    assert [(one.char, one.index) for one in take.lost] == [("м", 5), ("и", 6), ("р", 7)]
    assert take.notices[0].key == "engine.text.lost"
    assert "м (6)" in take.notices[0].message.en
    clean = speaker.speak(ask("おはようございます。"))
    assert clean.lost == () and "engine.text.lost" not in {n.key for n in clean.notices}


def test_a_guessed_language_is_told_with_the_take(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("大学生活", text_lang="auto"))
    assert "engine.text.guessed" in [notice.key for notice in take.notices]


def test_a_silent_piece_is_left_out(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("おはようございます。Здравствуйте。さようなら。", slice="zh_period"))
    assert [chunk.text for chunk in take.chunks] == ["おはようございます。", "さようなら。"]


def test_a_piece_that_ends_at_its_limit_is_told(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("おはようございます。", max_tokens=12))
    reported = [notice.key for notice in take.notices]
    assert reported.count("engine.speaking.reached_limit") == sum(
        not chunk.ended for chunk in take.chunks
    )


def test_a_take_cut_at_the_limit_says_so(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("おはようございます。", max_tokens=2))
    assert not take.chunks[0].ended
    assert "engine.speaking.reached_limit" in [notice.key for notice in take.notices]


def test_the_first_piece_of_a_hundred_thousand_characters_waits_for_no_other(
    speaker: SpeechPipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[str] = []

    def counted(text: str, *rest: object) -> Reading:
        pieces.append(text)
        return read_text(text, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "read_text", counted)
    text = "おはようございます。" * 10_000
    chunks = speaker.stream(ask(text, slice="zh_period", max_tokens=2), seed=1)
    assert next(chunks).text == "おはようございます。" and pieces == ["おはようございます。"]


def test_a_reference_text_that_no_one_could_say_in_its_time_is_told(
    speaker: SpeechPipeline, ask: Ask, clip: Callable[..., Path]
) -> None:
    long = "今日はとてもいい天気なので、みんなで公園へ散歩に行きましょう。" * 4
    take = speaker.speak(ask("おはようございます。", ref_audio=clip(4.0), ref_text=long))
    assert "engine.speaking.reference_text" in [notice.key for notice in take.notices]


def test_a_long_piece_is_spoken_in_parts(speaker: SpeechPipeline, ask: Ask) -> None:
    clause = "今日はとてもいい天気なので、みんなで公園へ散歩に行きましょう"
    text = "、".join([clause] * 14) + "。"
    take = speaker.speak(ask(text, slice="none", max_tokens=8))
    assert len(take.chunks) > 1 and "".join(chunk.text for chunk in take.chunks) == text


def test_two_halves_meet_at_the_best_place() -> None:
    assert split_in_two("一二三。四五六") == ("一二三。", "四五六")
    assert split_in_two("one two three four") == ("one two ", "three four")
    assert split_in_two("价格1,234,567元") not in (("价格1,", "234,567元"), ("价格1,234,", "567元"))
    assert split_in_two("一") is None


def test_numbers_are_never_cut() -> None:
    for method in ("punct", "4clauses", "50chars"):
        pieces = split_text("时间是10:30，比分3:2，价格1,234.5元，20%~30%的人。", method, "zh")
        whole = "".join(pieces)
        assert all(number in whole for number in ("10:30", "3:2", "1,234.5", "20%~30%"))
        assert any("10:30" in piece for piece in pieces)
        assert any("1,234.5" in piece for piece in pieces)
        assert any("20%~30%" in piece for piece in pieces)


class Enough(Exception):
    """The first sound is there."""


def test_nobody_waits_for_the_whole_book_to_be_looked_through(
    speaker: SpeechPipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def counted(text: str, *rest: object) -> tuple[LostCharacter, ...]:
        looked.append(len(text))
        return find_lost(text, *rest)  # type: ignore[arg-type]

    def stop(chunk: SpokenChunk) -> None:
        raise Enough

    monkeypatch.setattr(pipeline, "find_lost", counted)
    text = "м" * 900 + "おはようございます。" * 10_000
    with pytest.raises(Enough):
        speaker.speak(ask(text, slice="zh_period", max_tokens=2), stop)
    assert sum(looked) == 1000


def test_what_is_readable_only_far_into_a_text_is_spoken(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("м" * 1500 + "。おはよう。", slice="zh_period", max_tokens=4))
    assert take.chunks[-1].text.endswith("おはよう。") and len(take.lost) == 1500
