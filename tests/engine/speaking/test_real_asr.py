"""What a real Whisper model hears in speech of known words, and that it finds lost ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyopenjtalk
import pytest
from spoken_faults import KINDS, damage, japanese_words
from whisper_folder import whisper_folder

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.practice.dataset import load_sentences, make_practice_set
from sovdeck.engine.speaking.asr import SpeechRecogniser
from sovdeck.engine.speaking.asr_check import check_speech, comparable_phones
from sovdeck.engine.speaking.audition import AuditionGrid, AuditionRenderer, Sentence
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.voice_loader import VoiceLoader

VOICE = "Test"


@pytest.fixture(scope="module")
def listener() -> SpeechRecogniser:
    return SpeechRecogniser(whisper_folder(), "cpu")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Three practice clips and their words."""
    folder = tmp_path_factory.mktemp("practice")
    lines = make_practice_set(folder, "P", clips=3).list_file.read_text("utf-8").splitlines()
    rows = [line.split("|") for line in lines]
    return [(folder / "wavs" / fields[0], fields[3]) for fields in rows]


def at_our_rate(path: Path) -> np.ndarray:
    return resample(*load_mono(path), SPEECH_SAMPLE_RATE)


def test_whole_sentences_pass_and_lost_words_are_noticed(
    listener: SpeechRecogniser, spoken: list[tuple[Path, str]]
) -> None:
    for path, text in spoken:
        samples = at_our_rate(path)
        assert check_speech(listener, samples, text, "all_ja").heard.error <= 0.05
        half = samples[: len(samples) // 2]
        assert check_speech(listener, half, text, "all_ja").heard.is_doubtful
    silence = np.zeros(SPEECH_SAMPLE_RATE, np.float32)
    assert check_speech(listener, silence, spoken[0][1], "all_ja").heard.is_doubtful
    assert "天気" in listener.transcribe(at_our_rate(spoken[0][0]), "auto")


@pytest.mark.long
def test_spoken_faults_are_found_and_good_speech_is_not_doubted(
    listener: SpeechRecogniser,
) -> None:
    """Of the practice voice's sentences; each fault is spoken, not cut out of the sound."""
    rng = random.Random(5)
    doubted = [text for text in load_sentences() if hear(listener, text, text)]
    assert len(doubted) <= 1, doubted
    missed, tried = [], 0
    while tried < 40:
        text, kind = rng.choice(load_sentences()), KINDS[tried % len(KINDS)]
        words = damage(japanese_words(text), "all_ja", kind, rng)
        said = "".join(words or ())
        if not any(map(str.isalnum, said)) or alike(text, said):
            continue
        tried += 1
        if not hear(listener, said, text):
            missed.append((kind, said))
    assert len(missed) <= 2, missed


def alike(text: str, said: str) -> bool:
    return comparable_phones(text, "all_ja") == comparable_phones(said, "all_ja")


def hear(listener: SpeechRecogniser, said: str, text: str) -> bool:
    """Whether what was said is taken for something else than the text."""
    wave, rate = pyopenjtalk.tts(said, predict_nani=False)
    samples = resample((wave / np.abs(wave).max() * 0.6).astype(np.float32), rate, 32_000)
    return check_speech(listener, samples, text, "all_ja").heard.is_doubtful


def test_an_untrained_voice_is_spoken_again_as_often_as_allowed(
    listener: SpeechRecogniser, speaker: SpeechPipeline, ask: Callable[..., SpeakRequest]
) -> None:
    speaker.recogniser = listener
    piece = speaker.speak(ask("おはようございます。", max_rerolls=1)).chunks[0]
    assert piece.attempts == 2 and piece.is_doubtful


def test_marks_tell_the_truth_from_an_untrained_voice(
    work: Path,
    tmp_path: Path,
    listener: SpeechRecogniser,
    spoken: list[tuple[Path, str]],
) -> None:
    session = VoiceLoader(work, VOICE)
    path, text = spoken[0]
    reference = SpeakRequest(
        text="-", ref_audio=spoken[1][0], ref_text=spoken[1][1], ref_lang="all_ja", max_tokens=20
    )
    grid = AuditionGrid(
        gpt=[session.gpt_path()],
        sovits=[session.sovits_path()],
        references=[reference],
        sentences=[Sentence(text, "all_ja", path)],
    )
    truth, cell = AuditionRenderer(tmp_path, session.open_pipeline, listener).render(grid)
    assert truth["kind"] == "truth" and truth["phone_error"] <= 0.05 and truth["cer"] <= 0.1
    assert cell["phone_error"] > 0.5 and cell["penalty"] > truth["penalty"] + 2
