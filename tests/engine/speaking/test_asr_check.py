"""Rerolls: only when words are missing, at most N times, best one kept, and said."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from sovdeck.engine.speaking.asr_check import check_speech
from sovdeck.engine.speaking.pipeline import SpeechPipeline, chunk_seed
from sovdeck.engine.speaking.request import SpeakRequest

Ask = Callable[..., SpeakRequest]
TEXT = "おはようございます。"


class Hears:
    """Hears the given words one after another, then the last for ever."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.calls = 0

    def transcribe(self, samples: np.ndarray, language: str, /) -> str:
        assert language == "ja"
        self.calls += 1
        return self.words[min(self.calls, len(self.words)) - 1]


def test_good_speech_is_not_spoken_again(speaker: SpeechPipeline, ask: Ask) -> None:
    speaker.recogniser = Hears("お早うございます")
    piece = speaker.speak(ask(TEXT)).chunks[0]
    assert (piece.attempts, piece.error) == (1, 0.0)
    assert piece.seed == chunk_seed(7, 0)


def test_missing_words_are_spoken_again_with_another_seed(
    speaker: SpeechPipeline, ask: Ask
) -> None:
    speaker.recogniser = Hears("おはよう", "おはようございます")
    piece = speaker.speak(ask(TEXT)).chunks[0]
    assert piece.attempts == 2 and piece.error == 0.0
    assert piece.seed == chunk_seed(7, 0, 1)
    assert piece.facts()["attempts"] == 2


@pytest.mark.parametrize("most", [0, 1, 3])
def test_at_most_so_often_and_the_best_is_kept(
    speaker: SpeechPipeline, ask: Ask, most: int
) -> None:
    speaker.recogniser = Hears("ねこ", "おはよう", "", "ねこ")
    piece = speaker.speak(ask(TEXT, max_rerolls=most)).chunks[0]
    assert speaker.recogniser.calls == piece.attempts == most + 1
    assert piece.seed == chunk_seed(7, 0, 0 if most == 0 else 1)


def test_nobody_listens_when_switched_off(speaker: SpeechPipeline, ask: Ask) -> None:
    speaker.recogniser = Hears("x")
    piece = speaker.speak(ask(TEXT, verify=False)).chunks[0]
    assert speaker.recogniser.calls == 0
    assert math.isnan(piece.error) and piece.facts()["error"] is None


def test_phones_are_compared_not_letters() -> None:
    silence = np.zeros(10, np.float32)

    def error(heard: str) -> float:
        return check_speech(Hears(heard), silence, "今日は雨です。", "all_ja").heard.error

    assert error("きょうは雨です") == 0.0
    assert 0 < error("雨です") < 1.0
    assert error("") == error("。。。") == 1.0
