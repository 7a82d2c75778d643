"""Words of a sentence get the times at which a recogniser heard them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from whisper_folder import whisper_folder

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.speaking.asr import SpeechRecogniser
from sovdeck.engine.speaking.word_times import WordTime, align_words


def heard(*words: tuple[str, float, float]) -> Sequence[WordTime]:
    return [WordTime(*word) for word in words]


def times(words: Sequence[WordTime]) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for word in words]


def test_words_with_spaces_keep_their_marks_and_get_the_times_of_what_was_heard() -> None:
    found = align_words(
        "The Captain, promised.",
        heard((" the", 0.1, 0.3), (" captain", 0.4, 0.9), (" promised", 1.0, 1.5)),
        2.0,
    )
    assert times(found) == [("The", 0.1, 0.3), ("Captain,", 0.4, 0.9), ("promised.", 1.0, 1.5)]


def test_a_misheard_word_lies_between_its_neighbours() -> None:
    found = align_words(
        "one mail please today",
        heard(("one", 0.0, 0.4), ("xqw", 0.5, 0.9), ("please", 1.0, 1.4), ("today", 1.5, 2.0)),
        2.1,
    )
    assert times(found)[1] == ("mail", 0.4, 1.0)


def test_a_script_without_spaces_has_the_words_of_the_recogniser() -> None:
    found = align_words(
        "今日はいい天気。", heard(("今日は", 0, 0.5), ("いい", 0.5, 0.8), ("天気", 0.8, 1.2)), 1.5
    )
    assert times(found) == [("今日は", 0, 0.5), ("いい", 0.5, 0.8), ("天気。", 0.8, 1.2)]


def test_what_was_hardly_understood_has_no_times() -> None:
    assert (
        align_words("The captain promised.", heard(("entirely", 0, 1), ("other", 1, 2)), 2.0) == ()
    )
    assert align_words("…", heard(("what", 0, 1)), 1.0) == ()
    assert align_words("What?", [], 1.0) == ()


def test_times_never_go_back_and_stay_within_the_sound() -> None:
    rng = np.random.default_rng(5)
    letters = list("abcde 今日は,")
    for _ in range(300):
        text = "".join(rng.choice(letters, 24))
        marks = np.sort(rng.uniform(0.0, 3.0, 8))
        words = text.split() or ["a"]
        spoken = [
            WordTime(words[n % len(words)], float(marks[2 * n]), float(marks[2 * n + 1]))
            for n in range(4)
        ]
        found = align_words(text, spoken, 2.5)
        bounds = [edge for word in found for edge in (word.start, word.end)]
        assert bounds == sorted(bounds) and all(0.0 <= edge <= 2.5 for edge in bounds)
        assert not found or "".join(word.text for word in found) == "".join(text.split())


def test_a_real_model_says_when_it_heard_a_word() -> None:
    import pyopenjtalk

    listener = SpeechRecogniser(whisper_folder(), "cpu")
    samples, rate = pyopenjtalk.tts("今日はいい天気です。")
    sound = resample(samples.astype(np.float32) / 32768, rate, SPEECH_SAMPLE_RATE)
    quiet = np.concatenate([np.zeros(SPEECH_SAMPLE_RATE, np.float32), sound])
    seconds = len(quiet) / SPEECH_SAMPLE_RATE
    found = align_words("今日はいい天気です。", listener.transcribe_words(quiet, "ja"), seconds)
    assert len(found) > 1 and found[0].start == pytest.approx(1.0, abs=0.4)
    assert found[-1].end <= seconds
