"""A tiny speaker and sound files made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_content_encoder import Content
from tiny_voice import Models, make_voice, tiny_models, tone

from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest


@pytest.fixture(scope="session")
def models() -> Models:
    return tiny_models()


@pytest.fixture
def speaker(models: Models) -> SpeechPipeline:
    return SpeechPipeline(*models, Content(models[1].config.ssl_dim))


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
            "text": text,
            "ref_audio": clip(4.0),
            "text_lang": "all_ja",
            "seed": 7,
            "ref_text": "今日はいい天気です",
            "ref_lang": "all_ja",
            "max_tokens": 16,
        }
        return SpeakRequest(**{**given, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Path:
    """A work folder with two epochs of a voice from nothing and its reference."""
    return make_voice(tmp_path_factory.mktemp("work"), models)
