"""Speaking with v2Pro: a speaker vector for each reference, heard once by content."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_content_encoder import Content
from tiny_voice import VOICE, Models, make_voice, tiny_models

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.reference import read_reference
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.voice_loader import VoiceLoader

Ask = Callable[..., SpeakRequest]


class Counted(SpeakerEncoder):
    """The tiny network; counts the waves it hears."""

    def __init__(self) -> None:
        made = SpeakerEncoder.random(1)
        super().__init__(made.model, made.name, pretrained=False)
        self.heard = 0

    def vector(self, wav: torch.Tensor) -> torch.Tensor:
        self.heard += 1
        return super().vector(wav)


@pytest.fixture(scope="module")
def pro_models() -> Models:
    return tiny_models(SovitsConfig.tiny_pro())


@pytest.fixture
def encoder() -> Counted:
    return Counted()


@pytest.fixture
def pro(pro_models: Models, encoder: Counted) -> SpeechPipeline:
    content = Content(pro_models[1].config.ssl_dim)
    return SpeechPipeline(*pro_models, content, speaker_encoder=encoder)


def test_a_reference_is_heard_once_whatever_its_name(
    pro: SpeechPipeline, encoder: Counted, ask: Ask, clip: Callable[..., Path], tmp_path: Path
) -> None:
    first = pro.speak(ask("こんにちは。"))
    assert np.isfinite(first.samples).all() and encoder.heard == 1
    copy = tmp_path / "copy.wav"
    shutil.copy(clip(4.0), copy)
    again = pro.speak(ask("こんにちは。", ref_audio=copy))
    assert encoder.heard == 1 and np.array_equal(first.samples, again.samples)
    pro.speak(ask("こんにちは。", ref_audio=clip(5.0)))
    pro.speak(ask("こんにちは。"))
    assert encoder.heard == 2


def test_each_reference_lends_its_own_vector(
    pro: SpeechPipeline, encoder: Counted, ask: Ask, clip: Callable[..., Path]
) -> None:
    """The decoder gets a vector for each spectrogram, and averages what comes of both."""
    given: list[Any] = []
    real = pro.sovits.average_timbre

    def average_timbre(*arguments: Any) -> torch.Tensor:
        given.append(arguments)
        return real(*arguments)

    pro.sovits.average_timbre = average_timbre
    try:
        other = clip(2.0, hz=330.0)
        pro.speak(ask("こんにちは。", aux_refs=(other,)))
    finally:
        del pro.sovits.average_timbre
    spectrograms, vectors = given[0]
    assert len(spectrograms) == len(vectors) == 2
    for path, vector in zip((clip(4.0), other), vectors, strict=True):
        reference = read_reference(path, check_length=False)
        assert torch.equal(vector, SpeakerEncoder.random(1).vector(reference.speaker_wave()))
    assert not torch.equal(vectors[0], vectors[1])


def test_a_loud_reference_is_levelled_before_it_is_heard(clip: Callable[..., Path]) -> None:
    quiet = read_reference(clip(4.0))
    loud = type(quiet)(quiet.path, quiet.samples * (3.0 / np.abs(quiet.samples).max()), "x")
    assert float(loud.speaker_wave().abs().max()) == pytest.approx(1.5, rel=0.05)
    ratio = loud.speaker_wave() / loud.speaker_wave().abs().max()
    want = quiet.speaker_wave() / quiet.speaker_wave().abs().max()
    torch.testing.assert_close(ratio, want, atol=1e-5, rtol=1e-4)


def test_speed_and_streaming(pro: SpeechPipeline, ask: Ask) -> None:
    text = "おはようございます。今日はいい天気です。"
    stream = pro.stream(ask(text, slice="zh_period"), 1)
    assert len(next(stream).samples) > 0
    slow, fast = (pro.speak(ask("こんにちは。", speed=speed, pause_s=0.1)) for speed in (1.0, 1.5))
    assert slow.chunks[0].tokens == fast.chunks[0].tokens
    assert len(fast.samples) < len(slow.samples)


def test_a_clip_too_short_for_a_vector_is_a_sentence(
    pro: SpeechPipeline, ask: Ask, tmp_path: Path, clip: Callable[..., Path]
) -> None:
    with pytest.raises(Problem) as caught:
        pro.speak(ask("こんにちは。", aux_refs=(clip(0.023),)))
    assert caught.value.key == "engine.speaking.no_speaker_vector"
    assert "0.023" in caught.value.message.en


def test_v2pro_does_not_speak_without_its_speaker_network(pro_models: Models) -> None:
    with pytest.raises(ValueError, match="v2Pro"):
        SpeechPipeline(*pro_models, Content(32))


def test_a_voice_is_opened_with_the_network_it_was_trained_with(
    pro_models: Models, ask: Ask, tmp_path: Path
) -> None:
    work = make_voice(tmp_path / "work", pro_models)
    loader = VoiceLoader(work, VOICE)
    pipeline = loader.open_pipeline(loader.gpt_path(), loader.sovits_path())
    reference = loader.prepared_reference()
    request = ask("こんにちは。", ref_audio=Path(reference["ref_audio"]))
    assert np.abs(pipeline.speak(request).samples).max() > 0


def test_a_set_without_the_speaker_network_says_what_to_fetch(
    pro_models: Models, tmp_path: Path
) -> None:
    work = make_voice(tmp_path / "work", pro_models)
    content = work / "pretrained" / "v2" / "chinese-hubert-base"
    ContentEncoder.untrained(0, hidden=32).model.save_pretrained(content)
    loader = VoiceLoader(work, VOICE, pretrained="v2")
    with pytest.raises(Problem) as caught:
        loader.open_pipeline(loader.gpt_path(), loader.sovits_path())
    assert caught.value.key == "engine.speaking.no_speaker_network"
    assert caught.value.exit_code == ExitCode.CONFIG
    assert "--version v2Pro" in caught.value.sentence("en")
