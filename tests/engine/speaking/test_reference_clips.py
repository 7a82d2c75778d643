"""Choosing what to imitate: the ranking of clips, and the window to keep of a long one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.clip_ranking import TranscribedClip, rank_clips, score_clip
from sovdeck.engine.speaking.reference import best_window, read_reference


def voiced(seconds: float, noise: float = 0.0, level: float = 0.3) -> np.ndarray:
    """Bursts of tone, 0.8 s on and 0.2 s off, over noise."""
    t = np.arange(round(seconds * SPEECH_SAMPLE_RATE)) / SPEECH_SAMPLE_RATE
    burst = (t % 1.0) < 0.8
    hiss = np.random.default_rng(0).standard_normal(len(t)) * noise
    return (level * burst * np.sin(2 * np.pi * 200 * t) + hiss).astype(np.float32)


def write(path: Path, samples: np.ndarray) -> TranscribedClip:
    path.write_bytes(encode_wav(samples))
    return TranscribedClip(path, path.stem, "ja")


def test_the_best_clip_is_clean_and_of_the_right_length(tmp_path: Path) -> None:
    clips = [
        write(tmp_path / "short.wav", voiced(2.0, 0.001)),
        write(tmp_path / "good.wav", voiced(6.0, 0.001)),
        write(tmp_path / "noisy.wav", voiced(6.0, 0.05)),
        write(tmp_path / "clipped.wav", np.clip(voiced(6.0, 0.001, 3.0), -1, 1)),
        write(tmp_path / "long.wav", voiced(14.0, 0.001)),
    ]
    order = [score.clip.text for score in rank_clips(clips)]
    assert order[0] == "good"
    assert set(order[-2:]) == {"short", "long"}
    assert order.index("noisy") < 3 and order.index("clipped") < 3


def test_large_sets_are_sampled_evenly(tmp_path: Path) -> None:
    one = write(tmp_path / "one.wav", voiced(4.0, 0.001))
    many = [TranscribedClip(one.path, str(n), "ja") for n in range(30)]
    read = [int(score.clip.text) for score in rank_clips(many, most=10)]
    assert sorted(read) == list(range(0, 30, 3))


def test_a_clip_shorter_than_a_frame_has_a_score(tmp_path: Path) -> None:
    assert score_clip(write(tmp_path / "x.wav", voiced(0.01))).value < 0


def test_the_window_of_a_long_clip_cuts_no_word() -> None:
    quiet, speech = np.zeros(3 * SPEECH_SAMPLE_RATE, np.float32), voiced(5.5)
    samples = np.concatenate((quiet, speech, quiet, voiced(2.0), quiet))
    start, end = best_window(samples)
    assert 2.4 <= start <= 3.0 and end - start == pytest.approx(6.0)
    level = np.abs(
        samples[int(end * SPEECH_SAMPLE_RATE) - 100 : int(end * SPEECH_SAMPLE_RATE) + 100]
    ).max()
    assert level < 0.05


def test_a_long_reference_is_answered_with_its_window(clip: Callable[..., Path]) -> None:
    with pytest.raises(Problem) as caught:
        read_reference(clip(12.0))
    assert 0 <= caught.value.facts["start"] < caught.value.facts["end"] <= 12
    assert f"{caught.value.facts['end']}" in caught.value.sentence("zh")


def test_a_reference_is_read_at_32_khz(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(voiced(4.0), rate=16_000))  # the same samples, half as fast
    reference = read_reference(path)
    assert reference.seconds == pytest.approx(8.0, abs=1e-3)
    assert reference.prompt_wave().shape == (1, 8 * 16_000 + 9_600)
    assert reference.spectrogram().shape == (1, 1025, 8 * 50)
