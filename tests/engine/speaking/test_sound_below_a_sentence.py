"""Sound before a sentence is decoded: exactly in windows, or early while tokens still come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_voice import Models

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.models.sovits import cpu_decoder
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.decoder import Decoder
from sovdeck.engine.models.sovits.flow import Flow
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.sovits.windows import decode_windows, growing_ends
from sovdeck.engine.speaking.listener import Listener, ListenerGone
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.reference import read_reference
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.sentence_decoder import EarlyDecoder, SentenceDecoder, join_waves

TOKENS = 180  # 7.2 s: several windows
Ask = Callable[..., SpeakRequest]


@pytest.fixture(scope="module")
def sovits(models: Models) -> Synthesizer:
    return models[1].eval()


@pytest.fixture(scope="module")
def sentence(sovits: Synthesizer, clip: Callable[..., Path]) -> Callable[..., SentenceDecoder]:
    spectrograms = [read_reference(clip(4.0)).spectrogram()]
    phones = torch.randint(1, 300, (60,), generator=torch.Generator().manual_seed(1))

    def make(seed: int = 5, speed: float = 1.0) -> SentenceDecoder:
        return SentenceDecoder(sovits, phones, spectrograms, None, seed=seed, speed=speed)

    return make


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    # Held for some frames each, as in speech: neighbours are alike.
    return torch.randint(0, 16, (TOKENS // 4,), generator=generator).repeat_interleave(4)


@pytest.mark.parametrize("speed", [1.0, 0.7, 1.4])
def test_windows_joined_are_the_whole_decode(
    sovits: Synthesizer,
    sentence: Callable[..., SentenceDecoder],
    tokens: torch.Tensor,
    speed: float,
) -> None:
    decoder = sentence(speed=speed)
    parts = list(decoder.decode(tokens))
    assert len(parts) > 2 and len(parts[0]) <= 1.5 * SPEECH_SAMPLE_RATE
    frames = 2 * len(tokens) if speed == 1.0 else int(2 * len(tokens) / speed) + 1
    noise = torch.randn(
        1, sovits.config.inter_channels, frames, generator=torch.Generator().manual_seed(5)
    )
    (whole,) = decoder.decode_frames(decoder.latent(tokens, noise), [frames])
    joined = np.concatenate(parts)
    assert joined.shape == whole.shape and np.abs(whole).max() > 0.01
    assert np.abs(joined - whole).max() <= 1e-4


def test_the_flow_in_windows_of_43_frames_is_exact_too() -> None:
    """Of the full-size network, in float64: what a frame of the latent and the wave depends on."""
    torch.manual_seed(0)
    config = SovitsConfig.v2()
    flow = Flow(config).double().eval()
    for coupling in flow.flows[::2]:
        torch.nn.init.normal_(coupling.post.weight, std=0.05)  # a fresh one is the identity
    timbre = torch.randn(1, config.gin_channels, 1, dtype=torch.float64)
    z = torch.randn(1, config.inter_channels, 120, dtype=torch.float64)

    def inverse(part: torch.Tensor) -> torch.Tensor:
        mask = torch.ones(1, 1, part.shape[-1], dtype=torch.bool)
        return flow(part, mask, timbre, inverse=True)

    with torch.inference_mode():
        whole = inverse(z)
        for reach, exact in ((32, True), (12, False)):
            joined = torch.cat(list(decode_windows(inverse, z, [60, 120], reach)), dim=-1)
            assert (torch.allclose(joined, whole, atol=1e-12)) is exact, reach


@pytest.mark.parametrize(("frames", "ends"), [(1, [1]), (46, [46]), (47, [31, 47]), (600, None)])
def test_windows_grow_and_end_with_the_sentence(frames: int, ends: list[int] | None) -> None:
    found = growing_ends(frames)
    assert found[-1] == frames and found == sorted(set(found))
    assert ends is None or found == ends
    assert len(found) <= 5  # each join costs two receptive fields


def test_the_first_window_is_the_shortest_one_that_bfloat16_has_code_for() -> None:
    reach = Decoder(SovitsConfig.v2()).receptive_frames
    assert growing_ends(600)[0] + reach == min(cpu_decoder._WINDOW_FRAMES)


def test_a_take_is_what_its_listener_heard(speaker: SpeechPipeline, ask: Ask) -> None:
    heard: list[np.ndarray] = []
    text = "おはようございます。散歩に行きましょう。"
    request = ask(text, slice="zh_period", max_tokens=120)
    take = speaker.speak(request, listener=Listener(heard.append))
    assert len(heard) > len(take.chunks) * 2
    assert (np.concatenate(heard) == take.samples).all()
    assert (speaker.speak(request).samples == take.samples).all()


def mel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance of log magnitudes in 40 bands, over what both have."""

    def bands(samples: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(samples, 2048)[::640]
        spectrum = np.abs(np.fft.rfft(frames * np.hanning(2048)))[:, 1:1025]
        edges = np.unique(np.geomspace(1, 1024, 41).astype(int))
        return np.log(np.add.reduceat(spectrum, edges[:-1], axis=1) + 1e-3)

    first, second = bands(a), bands(b)
    count = min(len(first), len(second))
    return float(np.abs(first[:count] - second[:count]).mean())


def speak_early(decoder: SentenceDecoder, tokens: torch.Tensor, seed: int = 5) -> list[np.ndarray]:
    parts: list[np.ndarray] = []
    early = EarlyDecoder(decoder, parts.append, seed, 2 * len(tokens))
    for count in range(1, len(tokens) + 1):
        early.add(count, lambda: tokens[:count])  # noqa: B023  read at once
    early.finish(tokens)
    return parts


def test_early_speech_is_no_farther_from_the_whole_than_another_seed(
    sentence: Callable[..., SentenceDecoder], tokens: torch.Tensor
) -> None:
    whole, other = (np.concatenate(list(sentence(seed=s).decode(tokens))) for s in (5, 6))
    early = np.concatenate(speak_early(sentence(), tokens))
    assert abs(len(early) - len(whole)) < 0.1 * SPEECH_SAMPLE_RATE
    assert mel_distance(early, whole) <= 1.05 * mel_distance(other, whole)


def test_early_speech_begins_after_a_second_of_tokens(
    sentence: Callable[..., SentenceDecoder], tokens: torch.Tensor
) -> None:
    parts: list[np.ndarray] = []
    early = EarlyDecoder(sentence(), parts.append, 5, len(tokens))
    for count in range(1, 26):
        early.add(count, lambda: tokens[:count])  # noqa: B023  read at once
    assert 0.6 < len(np.concatenate(parts)) / SPEECH_SAMPLE_RATE < 1.0


def test_a_join_has_no_click() -> None:
    """Two takes of a voiced sound, out of phase: the joined wave jumps no more than either."""
    t = np.arange(SPEECH_SAMPLE_RATE) / SPEECH_SAMPLE_RATE
    partials = [np.sin(2 * np.pi * 110 * n * t) / n for n in range(1, 9)]
    voiced = np.sum(partials, axis=0).astype(np.float32)
    steepest = np.abs(np.diff(voiced)).max()
    for shift in range(0, 290, 29):
        tail = voiced[5000:6280]
        wave = voiced[5000 - 640 + shift : 20_000]
        joined = join_waves(tail, wave, 640, 400)
        assert np.abs(np.diff(joined)).max() <= 1.05 * steepest
        # Aligned to the period, so the fade loses no loudness either.
        assert np.abs(joined[:1280] - tail).max() < 0.05 * np.abs(tail).max()
        cut = np.concatenate((tail[:1], wave[640:]))  # what a join without search would do
        if 30 < shift < 260:
            assert np.abs(cut[: len(tail)] - tail).max() > 0.2 * np.abs(tail).max()


def test_joins_of_early_speech_do_not_click(
    sentence: Callable[..., SentenceDecoder], tokens: torch.Tensor
) -> None:
    parts = speak_early(sentence(), tokens)
    joined = np.concatenate(parts)
    steps = np.abs(np.diff(joined))
    borders = np.cumsum([len(part) for part in parts])[:-1]
    usual = np.quantile(steps, 0.999)
    assert len(borders) >= 3
    for border in borders:
        assert steps[max(0, border - 5) : border + 5].max() <= 2 * usual


def test_early_takes_are_whole_and_their_tokens_are_the_seeds(
    speaker: SpeechPipeline, ask: Ask
) -> None:
    request = ask("おはようございます。", max_tokens=120)
    heard: list[np.ndarray] = []
    early = speaker.speak(replace(request, early=True), listener=Listener(heard.append))
    exact = speaker.speak(request)
    assert early.chunk_tokens == exact.chunk_tokens
    assert (np.concatenate(heard) == early.samples).all()
    assert abs(early.seconds - exact.seconds) < 0.1


@pytest.mark.parametrize("early", [False, True])
def test_who_leaves_ends_the_take_within_a_token(
    speaker: SpeechPipeline, ask: Ask, early: bool
) -> None:
    """Left at once, in the middle of the tokens, or while the last sound is decoded."""
    request = ask("おはようございます。", max_tokens=60, early=early)
    asked: list[bool] = []
    whole = speaker.speak(request, listener=Listener(is_there=lambda: asked.append(True) or True))
    assert len(asked) >= len(whole.chunks[0].tokens)
    kept = dict(speaker.last_tokens)
    for stays in (1, 30, len(asked) - 1):
        left = iter(range(stays))
        with pytest.raises(ListenerGone):
            speaker.speak(request, listener=Listener(is_there=lambda: next(left, None) is not None))  # noqa: B023
        assert next(left, None) is None and speaker.last_tokens == kept
