"""A voice as programs of the community keep one: words and moods in the names of its clips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.voices.community_folder import write_community_folder


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    folder = tmp_path / "voices" / "Mei"
    for name in (
        "GPT_weights/Mei/Mei-e10.ckpt",
        "GPT_weights/Mei/Mei-e10.ckpt.json",
        "SoVITS_weights_v2Pro/Mei/Mei_e8_s64.pth",
        "reference/reference.wav",
        "proof.wav",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    own = {"wav": "reference.wav", "text": "你好，世界。", "language": "zh", "clips": []}
    (folder / "reference" / "reference.json").write_text(json.dumps(own), encoding="utf-8")
    return folder


def add_clip(voice: Path, name: str, words: str, language: str) -> None:
    folder = voice / "references"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.wav").write_bytes(name.encode())
    facts = json.dumps({"text": words, "language": language})
    (folder / f"{name}.json").write_text(facts, encoding="utf-8")


def written(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_two_weights_beside_the_clips_by_language_and_mood(voice: Path, tmp_path: Path) -> None:
    add_clip(voice, "happy", 'What?\nSay: "yes"!', "en")
    add_clip(voice, "悲伤", "今日は。", "all_ja")
    found = write_community_folder(voice, tmp_path / "models" / "Mei")
    assert written(tmp_path / "models" / "Mei") == {
        "Mei-e10.ckpt",
        "Mei_e8_s64.pth",
        "reference_audios/中文/emotions/【默认】你好，世界。.wav",
        "reference_audios/英语/emotions/【happy】What？ Say： ＂yes＂!.wav",
        "reference_audios/日语/emotions/【悲伤】今日は。.wav",
    }
    assert {path.read_bytes() for path in found.files if "悲伤" in path.name} == {"悲伤".encode()}
    assert found.left_out == ()


def test_words_that_no_file_name_holds_are_left_out_and_named(voice: Path, tmp_path: Path) -> None:
    add_clip(voice, "long", "很" * 100, "zh")
    add_clip(voice, "mute", "", "zh")
    found = write_community_folder(voice, tmp_path / "Mei")
    assert found.left_out == ("long", "mute")
    assert len([name for name in written(tmp_path / "Mei") if name.endswith(".wav")]) == 1


def test_a_clip_of_the_same_mood_replaces_the_one_before(voice: Path, tmp_path: Path) -> None:
    add_clip(voice, "happy", "Before.", "en")
    write_community_folder(voice, tmp_path / "Mei")
    mine = tmp_path / "Mei" / "reference_audios" / "英语" / "emotions" / "mine.wav"
    mine.write_bytes(b"mine")
    add_clip(voice, "happy", "After.", "en")
    write_community_folder(voice, tmp_path / "Mei")
    names = {path.name for path in mine.parent.iterdir()}
    assert names == {"【happy】After..wav", "mine.wav"}


def test_without_weights_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "Mei").mkdir()
    with pytest.raises(Problem) as refused:
        write_community_folder(tmp_path / "Mei", tmp_path / "new")
    assert refused.value.key == "remote.upstream.no_weights"
    assert not (tmp_path / "new").exists()
