"""The user's readings hold when speaking too: inline, from words.txt, and from --words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.contract.layout import Layout
from engine.contract.problem import Problem
from engine.speaking import arguments
from engine.speaking.phrases import read
from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.service import Service
from engine.speaking.slicing import pieces
from engine.speaking.studio import Studio
from engine.text.lexicon import Lexicon

VOICE = "Test"
Ask = Callable[..., SpeakRequest]


@pytest.fixture
def words(work: Path) -> Iterator[Path]:
    folder = Path(Layout.at(work.as_posix()).dataset(VOICE))
    folder.mkdir(parents=True, exist_ok=True)
    yield folder / "words.txt"
    (folder / "words.txt").unlink(missing_ok=True)


def studio_of(work: Path, *more: str) -> Studio:
    parser = argparse.ArgumentParser()
    arguments.add_studio(parser)
    given = [VOICE, "--work", str(work), "--device", "cpu", *more]
    return arguments.open_studio(parser.parse_args(given))[0]


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
    assert pieces(written, "punct", mode)[0].startswith(written)
    given, usual = read(written, mode), read(spoken, mode)
    if mode == "all_zh":  # 银行 read as the two syllables of 行行
        assert given.phones[4:8].tolist() == usual.phones[4:8].tolist()
    else:
        assert given.phones.tolist() == usual.phones.tolist()


def test_words_change_what_is_drawn_and_what_is_expected(speaker: Speaker, ask: Ask) -> None:
    usual = speaker.speak(ask("東京に行きます。")).pieces[0]
    speaker.lexicon = Lexicon({"東京": "ひがしきょう"})
    other = speaker.speak(ask("東京に行きます。", rerender_last=True)).pieces[0]
    assert not other.reused and not np.array_equal(other.samples, usual.samples)
    inline = speaker.speak(ask("東京{ひがしきょう}に行きます。")).pieces[0]
    assert np.array_equal(other.samples, inline.samples)


def test_words_beside_the_dataset_are_read_at_each_request(
    work: Path, words: Path, clip: Callable[..., Path]
) -> None:
    service = Service(studio_of(work))
    # top_k 1, so that the same phones give the same tokens
    given = {"text": "東京です。", "text_lang": "all_ja", "seed": 3, "top_k": 1,
             "ref_audio": str(clip(4.0)), "verify": False}  # fmt: skip
    spoken: list[tuple[int, ...]] = []
    for text in (None, "東京{ひがしきょう}\n"):
        if text is not None:
            words.write_text(text, "utf-8")
        service.speak(given, lambda piece: spoken.append(piece.tokens))
    assert service.speaker is not None and service.speaker.lexicon.readings == {
        "東京": "ひがしきょう"
    }
    words.write_text("東京 とうきょう\n", "utf-8")
    with pytest.raises(Problem, match="line 1"):
        service.speak(given, lambda piece: None)


def test_words_can_be_named(work: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("値{あたい}\n", "utf-8")
    assert studio_of(work, "--words", str(mine)).lexicon().readings == {"値": "あたい"}
    with pytest.raises(Problem, match=r"gone\.txt"):
        studio_of(work, "--words", str(tmp_path / "gone.txt")).lexicon()
