"""What a voice can speak with, and recordings taken in as references."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sovdeck.engine.cli import main
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.voice_assets import (
    add_reference,
    list_voice_assets,
    name_reference,
)
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


def test_an_added_clip_can_be_named_and_named_anew(
    tmp_path: Path, clip: Callable[..., Path]
) -> None:
    loader = VoiceLoader(tmp_path, "Test")
    added = add_reference(loader, clip(4.0, 0.2), text="今日は。", language="ja", name="happy")
    assert (added["name"], Path(added["path"]).name) == ("happy", "happy.wav")
    again = add_reference(loader, clip(4.0, 0.2), text="今日は。", language="ja", name="happy")
    assert again == added
    named = name_reference(loader, Path(added["path"]), "glad")
    assert (named["name"], named["text"], named["language"]) == ("glad", "今日は。", "ja")
    assert loader.reference_names() == ["glad"]
    assert not list(loader.references_folder.glob("happy*"))
    assert loader.named_reference("glad")["ref_text"] == "今日は。"


def test_a_recording_of_the_dataset_is_named_with_its_words(
    tmp_path: Path, clip: Callable[..., Path]
) -> None:
    data = tmp_path / "data" / "Test"
    (data / "wavs").mkdir(parents=True)
    shutil.copy(clip(5.0), data / "wavs" / "0.wav")
    (data / "Test.list").write_text("0.wav|Test|JA|文です。\n", encoding="utf-8")
    loader = VoiceLoader(tmp_path, "Test")
    named = name_reference(loader, data / "wavs" / "0.wav", "calm")
    assert (named["name"], named["text"]) == ("calm", "文です。")
    assert (data / "wavs" / "0.wav").is_file()
    outside = tmp_path / "outside.wav"
    shutil.copy(clip(5.0), outside)
    with pytest.raises(Problem) as refused:
        name_reference(loader, outside, "mine")
    assert refused.value.key == "engine.speaking.reference_missing"


@pytest.mark.parametrize(
    ("name", "key"),
    [("a/b", "bad_reference_name"), ("", "bad_reference_name"), ("CALM", "reference_name_taken")],
)
def test_a_name_that_cannot_be_one_is_refused(
    tmp_path: Path, clip: Callable[..., Path], name: str, key: str
) -> None:
    loader = VoiceLoader(tmp_path, "Test")
    add_reference(loader, clip(4.0), name="calm")
    other = add_reference(loader, clip(5.0, 0.2))
    with pytest.raises(Problem) as refused:
        name_reference(loader, Path(other["path"]), name)
    assert refused.value.key == f"engine.speaking.{key}"
    assert Path(other["path"]).is_file() and "calm" in loader.reference_names()


def test_a_reference_is_asked_for_by_its_name(tmp_path: Path, clip: Callable[..., Path]) -> None:
    loader = VoiceLoader(tmp_path, "Test")
    path = add_reference(loader, clip(4.0), text="今日は。", language="ja", name="calm")["path"]
    found = loader.with_named_reference({"ref_audio": "calm", "ref_lang": "zh", "seed": 0})
    assert found == {"ref_audio": path, "ref_text": "今日は。", "ref_lang": "ja", "seed": 0}
    own = loader.with_named_reference({"ref_audio": "calm", "ref_text": "好。", "ref_lang": "zh"})
    assert own == {"ref_audio": path, "ref_text": "好。", "ref_lang": "zh"}
    assert loader.with_named_reference({"ref_audio": "/x/y.wav"}) == {"ref_audio": "/x/y.wav"}
    with pytest.raises(Problem, match='called "sad"; there are: calm'):
        loader.with_named_reference({"ref_audio": "sad"})
