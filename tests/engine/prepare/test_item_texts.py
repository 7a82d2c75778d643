"""Transcripts in two languages, and the text encoder's features beside the phones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from deferred_encoders import defer, defer_synthesizer
from prepare_signals import tone
from torch import nn

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.prepare.frozen_encoders import FrozenEncoders
from sovdeck.engine.prepare.pipeline import PreparedDataset, prepare
from sovdeck.engine.prepare.text_features import read_item_text
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize


class CountingEncoder:
    """A text encoder whose row of a phone is the number of its character, from 1."""

    hidden = 4

    def __init__(self) -> None:
        self.model = nn.Module()
        self.model.device = torch.device("cpu")
        self.model.weight = nn.Parameter(torch.ones(1))
        self.calls: list[str] = []

    def features(self, text: str, word2ph: list[int]) -> torch.Tensor:
        self.calls.append(text)
        assert len(text) == len(word2ph)
        numbers = torch.arange(1, len(text) + 1, dtype=torch.float32)
        return numbers.repeat_interleave(torch.tensor(word2ph)).expand(self.hidden, -1)


def test_latin_words_of_a_chinese_transcript_are_read() -> None:
    encoder = CountingEncoder()
    made = read_item_text("我的 iPhone 很贵", "zh", Lexicon(), encoder)
    wanted = [phonemize("我的", "zh"), phonemize("iPhone", "en"), phonemize("很贵", "zh")]
    assert made.phones.phones == [phone for part in wanted for phone in part.phones]
    assert made.phones.word2ph is None
    assert made.features is not None
    assert made.features[0].tolist() == [1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 2, 2]
    assert encoder.calls == ["我的", "很贵"]
    only_latin = read_item_text("iPhone Pro", "zh", Lexicon(), encoder)
    assert only_latin.features is not None and not only_latin.features.any()


def test_transcripts_are_read_as_they_are_spoken_unless_asked_otherwise() -> None:
    spoken = read_item_text("今天23°C", "zh", Lexicon(), None)
    upstream = read_item_text("今天23°C", "zh", Lexicon(), None, as_upstream=True)
    assert spoken.phones.normalized == "今天二十三度"
    assert upstream.phones == phonemize("今天23°C", "zh")
    assert (
        read_item_text("髙橋", "ja", Lexicon(), None).phones.phones
        == phonemize("高橋", "ja").phones
    )


def test_pure_chinese_keeps_word2ph() -> None:
    made = read_item_text("你好。", "zh", Lexicon(), None)
    assert made.phones.word2ph == [2, 2, 1] and made.features is None


@pytest.mark.parametrize("language", ["ja", "en", "ko", "yue"])
def test_other_languages_have_no_features(language: str) -> None:
    texts = {"ja": "AIの時代", "en": "hello there", "ko": "안녕 AI", "yue": "佢哋 iPhone"}
    made = read_item_text(texts[language], language, Lexicon(), CountingEncoder())
    assert made.features is None and made.phones.phones
    if language == "yue":
        assert "OW1" in made.phones.phones


def test_features_lie_beside_the_phones(tmp_path: Path, encoder: Any, base: Any) -> None:
    folder = tmp_path / "data" / "V"
    folder.mkdir(parents=True)
    rows = ["a.wav|V|zh|你好，世界。", "b.wav|V|zh|我的 iPhone 很贵", "c.wav|V|en|Hello there."]
    for name in ("a", "b", "c"):
        soundfile.write(folder / f"{name}.wav", tone(2.0), 24000)
    (folder / "V.list").write_text("\n".join(rows), encoding="utf-8")
    text_encoder = CountingEncoder()
    seen: list[str] = []

    def emit(type_: str, stage: str | None = None, **payload: Any) -> None:
        seen.append(str(payload.get("code", "")))

    def make(encoders: FrozenEncoders) -> PreparedDataset:
        return prepare(
            RunSpec("r", "V"),
            Layout.at(str(tmp_path)),
            encoders=encoders,
            synthesizer=defer_synthesizer(base),
            emit=emit,
        )

    prepared = make(defer(encoder, text_encoder))
    for item in prepared.items[:2]:
        path = prepared.folder / "3-bert" / f"{item.name}.pt"
        features = torch.load(path, weights_only=True)
        assert features.shape == (4, item.phones) and features.dtype == torch.float32
    assert not (prepared.folder / "3-bert" / "c.wav.pt").exists()
    rows = (prepared.folder / "2-name2text.txt").read_text("utf-8").splitlines()
    assert rows[0].split("\t")[2] == "[2, 2, 1, 2, 2, 1]" and rows[1].split("\t")[2] == "None"
    calls = len(text_encoder.calls)
    assert make(defer(encoder, text_encoder)).remade == 0
    assert len(text_encoder.calls) == calls and "engine.data.no_bert" not in seen
    # Without the encoder the Chinese texts are done again, and a warning says what is missing.
    assert make(defer(encoder)).remade == 2 and "engine.data.no_bert" in seen
    assert list((prepared.folder / "3-bert").iterdir()) == []


class OverflowingEncoder(CountingEncoder):
    """Gives infinity for one text in half precision, and for another in any."""

    def features(self, text: str, word2ph: list[int]) -> torch.Tensor:
        half = self.model.weight.dtype is torch.float16
        bad = "坏" in text or (half and "大" in text)
        return super().features(text, word2ph) * (float("inf") if bad else 1)


def test_text_features_that_are_no_numbers_are_never_stored(
    tmp_path: Path, encoder: Any, base: Any
) -> None:
    folder = tmp_path / "data" / "V"
    folder.mkdir(parents=True)
    rows = ["a.wav|V|zh|你好。", "b.wav|V|zh|大家好。", "c.wav|V|zh|坏了。"]
    for name in ("a", "b", "c"):
        soundfile.write(folder / f"{name}.wav", tone(2.0), 24000)
    (folder / "V.list").write_text("\n".join(rows), encoding="utf-8")
    text_encoder = OverflowingEncoder()
    text_encoder.model.half()
    prepared = prepare(
        RunSpec("r", "V"),
        Layout.at(str(tmp_path)),
        encoders=defer(encoder, text_encoder),
        synthesizer=defer_synthesizer(base),
        emit=lambda *_, **__: None,
    )
    assert [item.name for item in prepared.items] == ["a.wav", "b.wav"]
    assert [p.key for p in prepared.problems] == ["engine.data.no_text_features"]
    stored = sorted((prepared.folder / "3-bert").iterdir())
    assert [path.name for path in stored] == ["a.wav.pt", "b.wav.pt"]
    assert all(torch.load(path, weights_only=True).isfinite().all() for path in stored)
    assert text_encoder.model.weight.dtype is torch.float16
