"""What a voice can speak with, and recordings taken in as references."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sovdeck.engine.cli import main
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.voice_assets import add_reference, list_voice_assets
from sovdeck.engine.speaking.voice_loader import VoiceLoader


def test_uploaded_clips_come_first_then_recordings_by_score(
    tmp_path: Path, clip: Callable[..., Path]
) -> None:
    data = tmp_path / "data" / "Test"
    (data / "wavs").mkdir(parents=True)
    lines = []
    for number, seconds in enumerate((1.5, 5.0, 14.0)):
        shutil.copy(clip(seconds), data / "wavs" / f"{number}.wav")
        lines.append(f"{number}.wav|Test|JA|文{number}です。\n")
    (data / "Test.list").write_text("".join(lines), encoding="utf-8")
    session = VoiceLoader(tmp_path, "Test")
    uploaded = add_reference(session, clip(4.0, 0.2), text="今日は。", language="all_ja")
    rows = list_voice_assets(session)["references"]
    assert rows[0] == uploaded and (uploaded["text"], uploaded["language"]) == (
        "今日は。",
        "all_ja",
    )
    assert [row["text"] for row in rows[1:]][0] == "文1です。"
    assert all(len(row["peaks"]) == 64 and max(row["peaks"]) <= 1.0 for row in rows)
    windows = {row["text"]: row["window"] for row in rows}
    assert windows["文1です。"] is None
    start, end = windows["文2です。"]
    assert end - start == pytest.approx(6.0)


def test_a_long_recording_is_cut_where_asked_and_equal_ones_are_one(
    tmp_path: Path, clip: Callable[..., Path]
) -> None:
    session = VoiceLoader(tmp_path, "Test")
    with pytest.raises(Problem, match="14.0 s long") as refused:
        add_reference(session, clip(14.0))
    assert refused.value.facts["file"] == clip(14.0).name
    assert not list((tmp_path / "references").rglob("*.wav"))
    trimmed = add_reference(session, clip(14.0), trim=True)
    assert trimmed["seconds"] == pytest.approx(6.0)
    assert add_reference(session, clip(14.0), trim=True)["path"] == trimmed["path"]
    other = add_reference(session, clip(14.0), window=(1.0, 5.5))
    assert other["seconds"] == pytest.approx(4.5) and other["path"] != trimmed["path"]


def test_the_command_answers_json(
    tmp_path: Path, work: Path, clip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["voice-assets", "Test", "--work", str(work), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["epoch"] for one in found["gpt"]] == [2, 10] and found["references"] == []
    arguments = [
        "voice-assets",
        "Test",
        "--work",
        str(tmp_path),
        "--add-reference",
        str(clip(1.0)),
        "--json",
    ]
    assert main(arguments) == 3
    assert json.loads(capsys.readouterr().out)["code"] == "engine.speaking.reference_short"
