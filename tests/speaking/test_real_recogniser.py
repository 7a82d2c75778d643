"""What a real Whisper model hears in speech of known words, and that it finds lost ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from whisper_folder import whisper_folder

from engine.audio.load import load
from engine.audio.resample import resample
from engine.practice.dataset import make
from engine.speaking.audition import Audition, Grid, Sentence
from engine.speaking.pipeline import Speaker
from engine.speaking.recognise import Listener
from engine.speaking.request import SpeakRequest
from engine.speaking.sound import RATE
from engine.speaking.studio import Studio
from engine.speaking.verify import LARGEST_ERROR, spoken_error

VOICE = "Test"


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener(whisper_folder(), "cpu")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Three practice clips and their words."""
    folder = tmp_path_factory.mktemp("practice")
    lines = make(folder, "P", clips=3).list_file.read_text("utf-8").splitlines()
    rows = [line.split("|") for line in lines]
    return [(folder / "wavs" / fields[0], fields[3]) for fields in rows]


def at_our_rate(path: Path) -> np.ndarray:
    return resample(*load(path), RATE)


def test_whole_sentences_pass_and_lost_words_are_noticed(
    listener: Listener, spoken: list[tuple[Path, str]]
) -> None:
    for path, text in spoken:
        samples = at_our_rate(path)
        assert spoken_error(listener, samples, text, "all_ja") <= 0.05
        half = samples[: len(samples) // 2]
        assert spoken_error(listener, half, text, "all_ja") > LARGEST_ERROR
    assert spoken_error(listener, np.zeros(RATE, np.float32), spoken[0][1], "all_ja") == 1.0
    assert "天気" in listener.transcribe(at_our_rate(spoken[0][0]), "auto")


def test_an_untrained_voice_is_spoken_again_as_often_as_allowed(
    listener: Listener, speaker: Speaker, ask: Callable[..., SpeakRequest]
) -> None:
    speaker.recogniser = listener
    piece = speaker.speak(ask("おはようございます。", max_rerolls=1)).pieces[0]
    assert piece.attempts == 2 and piece.error > LARGEST_ERROR


def test_marks_tell_the_truth_from_an_untrained_voice(
    work: Path, tmp_path: Path, listener: Listener, spoken: list[tuple[Path, str]],
) -> None:  # fmt: skip
    studio = Studio(work, VOICE)
    path, text = spoken[0]
    reference = SpeakRequest(
        text="-", ref_audio=spoken[1][0], ref_text=spoken[1][1], ref_lang="all_ja", max_tokens=20
    )
    grid = Grid(
        gpt=[studio.gpt_path()], sovits=[studio.sovits_path()], references=[reference],
        sentences=[Sentence(text, "all_ja", path)],
    )  # fmt: skip
    truth, cell = Audition(tmp_path, studio.open, listener).run(grid)
    assert truth["kind"] == "truth" and truth["phone_error"] <= 0.05 and truth["cer"] <= 0.1
    assert cell["phone_error"] > 0.5 and cell["penalty"] > truth["penalty"] + 2
