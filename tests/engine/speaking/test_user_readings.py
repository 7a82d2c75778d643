"""The user's readings hold when speaking too: inline, from words.txt, and from --words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking import arguments
from sovdeck.engine.speaking.phrases import read_phrase
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.slicing import split_text
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.text.lexicon import Lexicon

VOICE = "Test"
Ask = Callable[..., SpeakRequest]


@pytest.fixture
def words(work: Path) -> Iterator[Path]:
    folder = Path(Layout.at(work.as_posix()).dataset(VOICE))
    folder.mkdir(parents=True, exist_ok=True)
    yield folder / "words.txt"
    (folder / "words.txt").unlink(missing_ok=True)


def loader_of(work: Path, *more: str) -> VoiceLoader:
    parser = argparse.ArgumentParser()
    arguments.add_voice_arguments(parser)
    given = [VOICE, "--work", str(work), "--device", "cpu", *more]
    return arguments.open_voice_loader(parser.parse_args(given))[0]


@pytest.mark.parametrize(
    ("written", "spoken", "mode"),
    [
        ("今日{こんにち}は元気です", "こんにちは元気です", "all_ja"),
        ("我去银行{hang2 xing2}了", "我去行{hang2}行{xing2}了", "all_zh"),
        ("Say sovdeck{S OW1} now please", "say so now please", "en"),
        ("これはsovdeck{S OW1}です", "これはsoです", "ja"),
    ],
    ids=["ja", "zh", "en", "mixed"],
)
def test_inline_readings_survive_slicing_and_mixing(written: str, spoken: str, mode: str) -> None:
    assert split_text(written, "punct", mode)[0].startswith(written)
    given, usual = read_phrase(written, mode), read_phrase(spoken, mode)
    if mode == "all_zh":  # 银行 read as the two syllables of 行行
        assert given.phones[4:8].tolist() == usual.phones[4:8].tolist()
    else:
        assert given.phones.tolist() == usual.phones.tolist()


def test_words_change_what_is_drawn_and_what_is_expected(speaker: SpeechPipeline, ask: Ask) -> None:
    usual = speaker.speak(ask("東京に行きます。")).chunks[0]
    speaker.lexicon = Lexicon({"東京": "ひがしきょう"})
    other = speaker.speak(ask("東京に行きます。", rerender_last=True)).chunks[0]
    assert not other.reused and not np.array_equal(other.samples, usual.samples)
    inline = speaker.speak(ask("東京{ひがしきょう}に行きます。")).chunks[0]
    assert np.array_equal(other.samples, inline.samples)


def test_words_beside_the_dataset_are_read_at_each_request(
    work: Path, words: Path, clip: Callable[..., Path]
) -> None:
    service = SpeechService(loader_of(work))
    # top_k 1, so that the same phones give the same tokens
    given = {
        "text": "東京です。",
        "text_lang": "all_ja",
        "seed": 3,
        "top_k": 1,
        "ref_audio": str(clip(4.0)),
        "verify": False,
    }
    spoken: list[tuple[int, ...]] = []
    for text in (None, "東京{ひがしきょう}\n"):
        if text is not None:
            words.write_text(text, "utf-8")
        service.speak(given, lambda piece: spoken.append(piece.tokens))
    assert service.pipeline is not None and service.pipeline.lexicon.readings == {
        "東京": "ひがしきょう"
    }
    words.write_text("東京 とうきょう\n", "utf-8")
    with pytest.raises(Problem, match="line 1"):
        service.speak(given, lambda piece: None)


def test_words_can_be_named(work: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("値{あたい}\n", "utf-8")
    assert loader_of(work, "--words", str(mine)).lexicon().readings == {"値": "あたい"}
    with pytest.raises(Problem, match=r"gone\.txt"):
        loader_of(work, "--words", str(tmp_path / "gone.txt")).lexicon()
