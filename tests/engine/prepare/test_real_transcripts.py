"""Bare recordings become a list to proofread, heard by a real Whisper model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from whisper_folder import whisper_folder

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.commands import gather as command
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.engine.prepare.gather import gather
from sovdeck.engine.prepare.transcribe import Transcript, WhisperTranscriber
from sovdeck.engine.speaking.asr_check import phone_error


def joined(folder: Path, clips: list[Path]) -> Path:
    """One long recording: a second of silence between the clips."""
    parts, rate = [], 0
    for clip in clips:
        wav, rate = load_mono(clip)
        parts += [wav, np.zeros(rate, np.float32)]
    folder.mkdir()
    soundfile.write(folder / "talk.wav", np.concatenate(parts), rate)
    return folder


class Counting:
    def __init__(self, model: WhisperTranscriber) -> None:
        self.model, self.calls = model, 0

    def transcribe(self, wav: np.ndarray, language: str | None) -> Transcript:
        self.calls += 1
        return self.model.transcribe(wav, language)


def test_recordings_are_cut_heard_and_heard_only_once(tmp_path: Path) -> None:
    model = Counting(WhisperTranscriber(whisper_folder(), "cpu"))
    practice = make_practice_set(tmp_path / "practice", "P", clips=8)
    wavs = sorted((tmp_path / "practice" / "wavs").glob("*.wav"))
    rows = practice.list_file.read_text("utf-8").splitlines()
    words = [row.split("|")[3] for row in rows]
    source, target = joined(tmp_path / "mine", [wavs[4], wavs[7]]), tmp_path / "V.list"
    first = gather(source, target, speaker="V", transcriber=model)
    listed = [line.split("|") for line in target.read_text("utf-8").splitlines()]
    assert (first.clips, first.untranscribed, model.calls) == (len(listed), 0, len(listed))
    assert {fields[2] for fields in listed} == {"ja"}
    heard = "".join(fields[3] for fields in listed)
    assert phone_error(words[4] + words[7], heard, "all_ja") < 0.1
    soundfile.write(source / "more.wav", *load_mono(wavs[0]))
    second = gather(source, target, speaker="V", transcriber=model)
    assert (second.clips, model.calls) == (first.clips + 1, first.clips + 1)
    newest = target.read_text("utf-8").splitlines()[0].split("|")
    assert newest[0].startswith("wavs/more_")
    assert phone_error(words[0], newest[3], "all_ja") < 0.1


def test_the_command_says_how_many_clips_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    folder = whisper_folder()
    make_practice_set(tmp_path / "practice", "P", clips=1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    command.add_arguments(parser)
    target = tmp_path / "V.list"
    given = [str(tmp_path / "practice"), "--list", str(target), "--recogniser", str(folder)]
    assert command.run(parser.parse_args([*given, "--json"])) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["clips"], facts["untold"], facts["problems"]) == (1, 0, [])


@pytest.mark.parametrize("present", ["nothing", "model", "tokenizer"])
def test_a_folder_without_a_whole_model_is_refused(tmp_path: Path, present: str) -> None:
    pytest.importorskip("faster_whisper")
    files = {"nothing": [], "model": ["model.bin"], "tokenizer": ["tokenizer.json", "config.json"]}
    for name in files[present]:
        (tmp_path / name).write_text("{}")
    with pytest.raises(Problem) as refused:
        WhisperTranscriber(tmp_path, "cpu")
    assert refused.value.key == "engine.asr.no_model"
    assert refused.value.facts["folder"] == str(tmp_path)


def test_a_damaged_model_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    for name in ("model.bin", "tokenizer.json", "config.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(Problem) as refused:
        WhisperTranscriber(tmp_path, "cpu")
    assert refused.value.key == "engine.asr.unusable"
