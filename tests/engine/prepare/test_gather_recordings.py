"""A folder of recordings becomes a list; only what is new is cut and heard."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from deferred_encoders import defer, defer_synthesizer
from prepare_signals import tone

from sovdeck.engine.audio.slice import SliceRules, slice_recording
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.prepare.gather import detect_language, gather
from sovdeck.engine.prepare.pipeline import PreparedDataset, prepare
from sovdeck.engine.prepare.transcribe import Transcript, WhisperTranscriber

RATE = 16000


def speech(*lengths: float, pause: float = 0.6, seed: int = 0) -> np.ndarray:
    """Voiced stretches of `lengths` seconds with pauses of faint noise around them."""
    chance = np.random.default_rng(seed)
    parts = [np.zeros(round(pause * RATE))]
    for length in lengths:
        t = np.arange(round(length * RATE)) / RATE
        voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in (1, 2, 3, 4))
        parts += [0.2 * voice * (0.7 + 0.3 * np.sin(2 * np.pi * 3 * t)), parts[0]]
    wav = np.concatenate(parts)
    return (wav + 1e-4 * chance.standard_normal(len(wav))).astype(np.float32)


class Fake:
    """A recogniser that counts what it is given."""

    def __init__(self) -> None:
        self.calls = 0

    def transcribe(self, wav: np.ndarray, language: str | None) -> Transcript:
        self.calls += 1
        assert wav.ndim == 1 and wav.dtype == np.float32
        return Transcript(f"これは{self.calls}番目です。", language or "ja")


def test_pauses_cut_a_recording() -> None:
    wav = speech(4, 5, 4, 6, 3.5)
    spans = slice_recording(wav, RATE)
    assert [round((end - start) / RATE) for start, end in spans] == [4, 5, 4, 6, 4]
    assert all(left[1] <= right[0] for left, right in zip(spans, spans[1:], strict=False))
    # Every loud sample is in a clip.
    kept = np.zeros(len(wav), bool)
    for start, end in spans:
        kept[start:end] = True
    assert np.abs(wav[~kept]).max() < 0.01


def test_short_clips_join_and_long_ones_part() -> None:
    joined = slice_recording(speech(1.2, 1.2, 1.2, 5), RATE)
    assert [round((end - start) / RATE) for start, end in joined] == [3, 7]
    parted = slice_recording(speech(25), RATE)
    assert len(parted) >= 3
    assert max((end - start) / RATE for start, end in parted) <= SliceRules().longest + 1


def test_noise_and_silence_are_left_out() -> None:
    chance = np.random.default_rng(1)
    hiss = (0.2 * chance.standard_normal(RATE * 4)).astype(np.float32)
    wav = np.concatenate([speech(4), hiss, speech(4)])
    spans = slice_recording(wav, RATE)
    start, end = len(speech(4)) + RATE // 2, len(speech(4)) + 3 * RATE
    assert all(not (first < end and last > start) for first, last in spans) and len(spans) == 2
    assert slice_recording(np.zeros(RATE * 5, np.float32), RATE) == []
    assert slice_recording(np.zeros(0, np.float32), RATE) == []
    assert slice_recording(tone(0.005, RATE), RATE) == []


def test_texts_beside_recordings(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    for name, words in (
        ("a", "こんにちは。"),
        ("b", "Hello there, friend."),
        ("c", "你好，我是小明。"),
    ):
        soundfile.write(source / f"{name}.wav", tone(2.0), 24000)
        (source / f"{name}.{'lab' if name == 'b' else 'txt'}").write_text(words, "utf-8")
    (source / "b.txt").unlink(missing_ok=True)
    gathered = gather(source, tmp_path / "V.list", speaker="V")
    assert (gathered.clips, gathered.untranscribed, gathered.problems) == (3, 0, ())
    assert (tmp_path / "V.list").read_text("utf-8").splitlines() == [
        "mine/a.wav|V|ja|こんにちは。",
        "mine/b.wav|V|en|Hello there, friend.",
        "mine/c.wav|V|zh|你好，我是小明。",
    ]
    # A correction in the list stands until its text file is written anew.
    target = tmp_path / "V.list"
    target.write_text(target.read_text("utf-8").replace("こんにちは", "こんばんは"), "utf-8")
    gather(source, target, speaker="V")
    assert "こんばんは" in target.read_text("utf-8")
    (source / "a.txt").write_text("おはよう。", "utf-8")
    later = target.stat().st_mtime + 5
    os.utime(source / "a.txt", (later, later))
    gather(source, target, speaker="V")
    assert "おはよう。" in target.read_text("utf-8")


def test_long_recordings_are_cut_and_heard_once(tmp_path: Path) -> None:
    source, target = tmp_path / "mine", tmp_path / "V" / "V.list"
    source.mkdir()
    target.parent.mkdir()
    soundfile.write(source / "talk.flac", speech(5, 5, 5), RATE)
    fake = Fake()
    first = gather(source, target, speaker="V", transcriber=fake)
    assert (first.clips, first.untranscribed, fake.calls) == (3, 0, 3)
    lines = target.read_text("utf-8").splitlines()
    assert lines[0].endswith("|V|ja|これは1番目です。") and lines[0].startswith("wavs/talk_0001_")
    # The user corrects one; a new recording arrives.
    target.write_text("\n".join(lines).replace("これは2番目です。", "正しい文。"), "utf-8")
    soundfile.write(source / "more.wav", speech(4, seed=3), RATE)
    second = gather(source, target, speaker="V", transcriber=fake)
    assert second.clips == 4 and fake.calls == 4
    assert "正しい文。" in target.read_text("utf-8")
    # The user takes one out and changes a language: neither comes back.
    rows = target.read_text("utf-8").splitlines()
    target.write_text("\n".join(rows[:2] + [rows[2].replace("|ja|", "|en|")]), "utf-8")
    third = gather(source, target, speaker="V", transcriber=fake)
    assert third.clips == 3 and fake.calls == 4
    assert "|en|" in target.read_text("utf-8").splitlines()[2]
    # A lost list is rebuilt from memory, without hearing anything again.
    target.unlink()
    gather(source, target, speaker="V", transcriber=fake)
    assert fake.calls == 4


def test_without_a_recogniser_the_list_waits_for_texts(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    soundfile.write(tmp_path / "mine" / "talk.wav", speech(5, 5, 5), RATE)
    gathered = gather(tmp_path / "mine", tmp_path / "V.list", speaker="V")
    assert (gathered.clips, gathered.untranscribed) == (3, 3)


def test_damaged_and_missing_sources_are_problems(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    with pytest.raises(Problem) as nothing:
        gather(source, tmp_path / "V.list", speaker="V")
    assert nothing.value.key == "engine.gather.nothing"
    (source / "bad.wav").write_bytes(b"RIFF")
    soundfile.write(source / "c.wav", tone(2.0), 24000)
    (source / "c.txt").write_bytes(b"\x82\xb1")
    soundfile.write(source / "d.wav", tone(2.0), 24000)
    gathered = gather(source, tmp_path / "V.list", speaker="V")
    keys = [problem.key for problem in gathered.problems]
    assert keys == ["engine.data.corrupt", "engine.gather.text_unreadable"]
    assert gathered.clips == 1


def test_a_recogniser_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(Problem) as missing:
        WhisperTranscriber(tmp_path)
    assert missing.value.key == "engine.asr.no_package"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("こんにちは", "ja"),
        ("Hello you", "en"),
        ("你好", "zh"),
        ("안녕", "ko"),
        ("我的iPhone很贵啊", "zh"),
        ("", "zh"),
    ],
)
def test_language_of_a_text(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_prepare_takes_a_folder(
    tmp_path: Path, encoder: Any, base: Any, dataset: Callable[..., tuple[RunSpec, Layout]]
) -> None:
    spec, layout = dataset()
    folder = Path(layout.dataset("ATRI"))
    words = [line.split("|")[3] for line in (folder / "ATRI.list").read_text("utf-8").splitlines()]
    (folder / "ATRI.list").unlink()
    seen: list[str] = []

    def emit(type_: str, stage: str | None = None, **payload: Any) -> None:
        seen.append(payload.get("code", type_))

    def make() -> PreparedDataset:
        return prepare(
            spec,
            layout,
            encoders=defer(encoder),
            synthesizer=defer_synthesizer(base),
            emit=emit,
        )

    with pytest.raises(Problem) as untold:
        make()
    assert untold.value.key == "engine.gather.untold" and untold.value.facts["clips"] == 4
    for number, sentence in enumerate(words):
        (folder / "wavs" / f"clip{number}.txt").write_text(sentence, "utf-8")
    (folder / "ATRI.list").unlink()
    prepared = make()
    assert [item.name for item in prepared.items] == [f"clip{n}.wav" for n in range(4)]
    assert "engine.gather.written" in seen
