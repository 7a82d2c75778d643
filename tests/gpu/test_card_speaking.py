"""Speaking end to end on the card: from a text and a clip to samples."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from card import Card
from fake_content_encoder import Content
from tiny_voice import tone

from benchmarks.synthetic import fill
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest


def pipeline(card: Card, device: torch.device) -> SpeechPipeline:
    gpt, sovits = Text2Semantic(card.gpt), Synthesizer(card.sovits())
    fill(gpt, "model.")
    fill(sovits)
    return SpeechPipeline(gpt.to(device), sovits.to(device), Content(sovits.config.ssl_dim))


def test_a_text_is_spoken_as_on_the_processor(card: Card, tmp_path: Path) -> None:
    clip = tmp_path / "reference.wav"
    clip.write_bytes(tone(4.0))
    request = SpeakRequest(
        text="おはようございます。今日はいい天気です。",
        ref_audio=clip,
        text_lang="all_ja",
        slice="zh_period",
        seed=7,
        ref_text="今日はいい天気です",
        ref_lang="all_ja",
        max_tokens=40,
    )
    speaker = pipeline(card, card.torch)
    speaker.speak(request)  # captures
    started = time.perf_counter()
    first: list[float] = []
    take = speaker.speak(request, lambda _: first.append(time.perf_counter() - started))
    card.note("first sound s", first[0])
    card.note("seconds spoken a second", take.seconds / (time.perf_counter() - started))
    assert not any(one.key == "engine.speaking.not_captured" for one in take.notices)
    expected = pipeline(card, torch.device("cpu")).speak(request)
    assert [c.tokens for c in take.chunks] == [c.tokens for c in expected.chunks]
    apart = np.abs(take.samples - expected.samples).max() / np.abs(expected.samples).max()
    card.note("samples against the processor", float(apart))
    assert apart <= 1e-3
