"""A tiny speaker and sound files made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tiny_voice import Models, make_voice, tiny_models, tone
from torch import Tensor

from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest


class Content:
    """Stands in for HuBERT: 50 frames a second of fixed random projections of the wave."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.calls = 0

    def features(self, wav16k: Tensor) -> Tensor:
        self.calls += 1
        frames = wav16k.unfold(1, 320, 320)  # (B, T, 320)
        basis = torch.randn(320, self.width, generator=torch.Generator().manual_seed(1))
        return (frames @ basis).transpose(1, 2)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def models() -> Models:
    return tiny_models()


@pytest.fixture
def speaker(models: Models) -> Speaker:
    return Speaker(*models, Content(models[1].config.ssl_dim))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """clip(seconds, level=0.3, hz=220) -> a 32 kHz wav of a wavering tone."""
    folder = tmp_path_factory.mktemp("clips")

    def make(seconds: float, level: float = 0.3, hz: float = 220.0) -> Path:
        path = folder / f"{seconds}-{level}-{hz}.wav"
        path.write_bytes(tone(seconds, level, hz))
        return path

    return make


@pytest.fixture
def ask(clip: Callable[..., Path]) -> Callable[..., SpeakRequest]:
    """ask(text, **changes) -> a short Japanese request with a reference and its words."""

    def make(text: str, **changes: object) -> SpeakRequest:
        given: dict[str, object] = {
            "text": text, "ref_audio": clip(4.0), "text_lang": "all_ja", "seed": 7,
            "ref_text": "今日はいい天気です", "ref_lang": "all_ja", "max_tokens": 16,
        }  # fmt: skip
        return SpeakRequest(**{**given, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Path:
    """A work folder with two epochs of a voice from nothing and its reference."""
    return make_voice(tmp_path_factory.mktemp("work"), models)
