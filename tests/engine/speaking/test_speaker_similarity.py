"""Speaker similarity: the encoder's shape, what silence and loudness do, and every refusal."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from sovdeck.engine.commands import audition
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.engine.speaking import speaker_similarity
from sovdeck.engine.speaking.speaker_similarity import ResemblyzerEmbedder, find_embedder_weights
from sovdeck.engine.speaking.voice_loader import VoiceLoader

RATE = 32_000


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the layout of resemblyzer's file, which holds more than the encoder."""
    torch.manual_seed(1)
    state = speaker_similarity._Encoder().state_dict()
    path = tmp_path_factory.mktemp("weights") / "pretrained.pt"
    extra = {"similarity_weight": torch.ones(1), "similarity_bias": torch.zeros(1)}
    torch.save({"step": 1, "model_state": {**state, **extra}}, path)
    return path


def voice(hz: float, seconds: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 9)]
    return np.sum(tones, axis=0).astype(np.float32) * 0.05


def test_prints_are_of_unit_length_and_ignore_silence_and_loudness(weights: Path) -> None:
    who = ResemblyzerEmbedder(weights)
    one = who.embed(voice(150))
    assert one.shape == (256,) and np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    padded = np.concatenate((np.zeros(RATE * 2, np.float32), voice(150)))
    assert one @ who.embed(padded) > 0.99
    assert one @ who.embed(voice(150) / 4) == pytest.approx(1.0, abs=1e-4)
    assert not np.allclose(one, who.embed(voice(400)), atol=1e-4)
    assert not who.embed(np.zeros(RATE, np.float32)).any()
    assert not who.embed(np.zeros(0, np.float32)).any()


@pytest.mark.parametrize(("seconds", "looks"), [(0.2, 1), (1.6, 1), (2.5, 2), (4.0, 4)], ids=str)
def test_how_often_a_recording_is_looked_at(seconds: float, looks: int) -> None:
    starts = speaker_similarity._window_starts(round(seconds * 16_000))
    assert len(starts) == looks and starts == [77 * n for n in range(looks)]


@pytest.mark.parametrize("content", ["bytes", "other"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.pt"
    if content == "bytes":
        path.write_bytes(b"nothing")
    else:
        torch.save({"model_state": {"lstm.weight_ih_l0": torch.ones(2)}}, path)
    with pytest.raises(Problem) as refused:
        ResemblyzerEmbedder(path)
    assert refused.value.key == "engine.similarity.unusable"


def test_weights_are_looked_for_in_order(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker_similarity, "PACKAGE", "no-such-package")
    with pytest.raises(Problem) as missing:
        find_embedder_weights(None, tmp_path)
    assert missing.value.key == "engine.similarity.no_weights"
    with pytest.raises(Problem):
        find_embedder_weights(tmp_path / "gone.pt", tmp_path)
    ours = tmp_path / "no-such-package" / "pretrained.pt"
    ours.parent.mkdir()
    ours.write_bytes(weights.read_bytes())
    assert find_embedder_weights(None, tmp_path) == ours
    assert find_embedder_weights(weights, tmp_path) == weights


def test_the_command_takes_a_file_or_finds_one(weights: Path, work: Path) -> None:
    parser = argparse.ArgumentParser()
    audition.add_arguments(parser)
    session = VoiceLoader(work, "Test")

    def judge(*arguments: str) -> object:
        asked = parser.parse_args(["Test", *arguments]).similarity
        return audition._open_speaker_embedder(asked, session)

    assert judge() is None
    assert isinstance(judge("--similarity", str(weights)), ResemblyzerEmbedder)


def test_real_weights_know_a_speaker_again(tmp_path: Path) -> None:
    try:
        file = find_embedder_weights(None, tmp_path)
    except Problem:
        pytest.skip("the package resemblyzer is not installed")
    from sovdeck.engine.audio.load import load_mono
    from sovdeck.engine.audio.resample import resample

    make_practice_set(tmp_path, "P", clips=2)
    who = ResemblyzerEmbedder(file)
    first, second = (
        who.embed(resample(*load_mono(path), RATE))
        for path in sorted((tmp_path / "wavs").glob("*.wav"))
    )
    assert first @ second > 0.85
    assert first @ who.embed(voice(150)) < 0.75
