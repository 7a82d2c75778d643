"""Samples and proof of a run: each exported file is loaded once, on the device that trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_voice import VOICE, Models, write_epoch

from sovdeck.engine.prepare.frozen_encoders import FrozenEncoders, untrained_encoders
from sovdeck.engine.speaking import sample_speaker
from sovdeck.engine.speaking.sample_speaker import SampleReference, SampleSpeaker
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.text.lexicon import Lexicon

CPU = torch.device("cpu")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were loaded, in order."""
    found: list[str] = []

    def counted(load: Callable[..., Any]) -> Callable[..., Any]:
        def counting(path: Path, *given: Any) -> Any:
            found.append(path.name)
            return load(path, *given)

        return counting

    for name in ("open_gpt", "open_sovits"):
        monkeypatch.setattr(sample_speaker, name, counted(getattr(sample_speaker, name)))
    return found


def encoders(device: torch.device) -> FrozenEncoders:
    return untrained_encoders(0, 32, device, speaker_numbers=None)


def test_files_are_loaded_once_and_again_when_they_change(
    tmp_path: Path, models: Models, clip: Callable[..., Path], loads: list[str]
) -> None:
    for epoch in (1, 2):
        write_epoch(tmp_path, models, epoch)
    loader = VoiceLoader(tmp_path, VOICE)
    speaker = SampleSpeaker(encoders, Lexicon, CPU)
    reference = SampleReference(clip(2.0), "今日は。", "ja")

    def speak(gpt: str, text: str) -> bytes:
        pair = loader.gpt_path(gpt), loader.sovits_path()
        speaker.speak(*pair, reference, text, "ja", tmp_path / "out.wav", max_tokens=12)
        return (tmp_path / "out.wav").read_bytes()

    first = speak("Test-e1.ckpt", "おはようございます。")
    assert first != speak("Test-e1.ckpt", "散歩に行きましょう。")
    sovits = loader.sovits_path().name
    assert loads == [sovits, "Test-e1.ckpt"]
    assert speak("Test-e2.ckpt", "おはようございます。") == first, "the same weights"
    assert loads == [sovits, "Test-e1.ckpt", "Test-e2.ckpt"]
    write_epoch(tmp_path, models, 2)  # a run that was started over exports under the same name
    assert speak("Test-e2.ckpt", "おはようございます。") == first
    assert loads[3:] == [sovits, "Test-e2.ckpt"]


def test_a_gpu_without_memory_for_samples_leaves_them_to_the_cpu(
    tmp_path: Path,
    models: Models,
    clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_epoch(tmp_path, models, 1)
    loader, asked = VoiceLoader(tmp_path, VOICE), []
    plain = sample_speaker.open_sovits

    def open_sovits(path: Path, device: torch.device) -> Any:
        asked.append(device.type)
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(path, device)

    monkeypatch.setattr(sample_speaker, "open_sovits", open_sovits)
    speaker = SampleSpeaker(encoders, Lexicon, torch.device("cuda:0"))
    for number in range(2):
        seconds = speaker.speak(
            loader.gpt_path(),
            loader.sovits_path(),
            SampleReference(clip(2.0), "今日は。", "ja"),
            "おはようございます。",
            "ja",
            tmp_path / f"{number}.wav",
            max_tokens=12,
        )
        assert seconds > 0
    assert asked == ["cuda", "cpu"], "and the GPU is not asked again"


def test_another_failure_is_not_taken_for_a_lack_of_memory(
    tmp_path: Path, models: Models, clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_epoch(tmp_path, models, 1)
    loader = VoiceLoader(tmp_path, VOICE)

    def broken(*_: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(sample_speaker, "open_sovits", broken)
    speaker = SampleSpeaker(encoders, Lexicon, torch.device("cuda:0"))
    reference = SampleReference(clip(2.0), "今日は。", "ja")
    pair = loader.gpt_path(), loader.sovits_path()
    with pytest.raises(RuntimeError, match="illegal memory"):
        speaker.speak(*pair, reference, "おはよう。", "ja", tmp_path / "out.wav")
