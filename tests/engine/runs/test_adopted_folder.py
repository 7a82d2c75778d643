"""A data folder that GPT-SoVITS has finished: trained as it is, what it lacks named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.prepare.adopted_folder import adopted_items, is_finished_elsewhere
from sovdeck.engine.runs.stages import RunProgress, run_stage
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.context import RunContext
from sovdeck.engine.training.features import read_features
from sovdeck.engine.training.initial_weights import InitialWeights

VOICE = "Mei"
TABLES = ("2-name2text.txt", "6-name2semantic.tsv")
PARTS = ("4-cnhubert", "5-wav32k", "7-sv_cn")


def finished(work: Path) -> Path:
    """logs/Mei as upstream leaves it, nothing of ours."""
    folder = work / "logs" / VOICE
    for part in ("3-bert", *PARTS):
        (folder / part).mkdir(parents=True)
    texts, tokens = [], ["item_name\tsemantic_audio"]
    for number, seconds in enumerate((4.0, 5.8, 2.0)):
        name = f"c{number}.wav"
        samples = (np.sin(np.arange(int(seconds * 32000)) / 20) * 9000).astype(np.int16)
        soundfile.write(folder / "5-wav32k" / name, samples, 32000, subtype="PCM_16")
        torch.save(torch.randn(1, 32, int(seconds * 50)), folder / "4-cnhubert" / f"{name}.pt")
        torch.save(torch.randn(1, 1280).half(), folder / "7-sv_cn" / f"{name}.pt")
        texts.append(f"{name}\tk o N n i ch i w a\tNone\tこんにちは。")
        tokens.append(f"{name}\t{' '.join(['5'] * int(seconds * 25))}")
    (folder / TABLES[0]).write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / TABLES[1]).write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def prepare(work: Path) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []

    def emit(type_: str, stage: str | None = None, **payload: Any) -> None:
        seen.append((type_, payload))

    spec = RunSpec("r1", VOICE, "tinyPro", pretrained="v2")
    device = Device("cpu", "CPU", 1 << 34)
    context = RunContext(spec, Layout.at(work.as_posix()), emit, StopFlag(), device)
    initial = InitialWeights(
        work, True, SovitsConfig.tiny_pro(), GptConfig.tiny(), 1234, "pretrained:v2/v2Pro"
    )
    run_stage("prepare", context, RunProgress(initial))
    return seen


def test_a_finished_folder_is_taken_without_preparing_again(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    seen = prepare(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    (ending,) = [payload for kind, payload in seen if kind == "stage_finished"]
    assert (ending["items"], ending["redone"]) == (3, 0)
    assert ending["audio_seconds"] == pytest.approx(11.8, abs=0.1)
    notes = [payload["code"] for kind, payload in seen if kind == "warning"]
    assert notes == ["engine.data.adopted"]
    reference = (folder / "reference" / "reference.json").read_text(encoding="utf-8")
    assert "c1.wav" in reference and '"ja"' in reference
    clips = read_features(folder, speakers=True).clips
    assert [clip.name for clip in clips] == ["c0.wav", "c1.wav", "c2.wav"]
    assert all(clip.speaker is not None for clip in clips)


def test_recordings_that_are_here_are_prepared(tmp_path: Path) -> None:
    finished(tmp_path)
    spec, layout = RunSpec("r1", VOICE, "v2Pro"), Layout.at(tmp_path.as_posix())
    assert is_finished_elsewhere(spec, layout)
    Path(layout.dataset(VOICE)).mkdir(parents=True)
    assert not is_finished_elsewhere(spec, layout)


@pytest.mark.parametrize("part", [*TABLES, *PARTS])
def test_what_a_folder_lacks_is_named(part: str, tmp_path: Path) -> None:
    folder = finished(tmp_path)
    if part in TABLES:
        (folder / part).unlink()
    else:
        for file in (folder / part).iterdir():
            file.unlink()
    with pytest.raises(Problem) as caught:
        read_features(folder, speakers=True)
    assert caught.value.key == "engine.training.folder_lacks"
    assert caught.value.facts["parts"] == part
    assert part in caught.value.sentence("zh")


def test_a_clip_that_lacks_something_is_named_with_it(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    (folder / "7-sv_cn" / "c1.wav.pt").unlink()
    (folder / "4-cnhubert" / "c2.wav.pt").unlink()
    features = read_features(folder, speakers=True)
    assert [clip.name for clip in features.clips] == ["c0.wav"]
    reasons = {one.name: one.reason.en for one in features.incomplete}
    assert reasons == {
        "c1.wav": "it is not in 7-sv_cn",
        "c2.wav": "it is not in 4-cnhubert",
    }
    assert len(read_features(folder).clips) == 2, "v2 needs no speaker vectors"


def test_nothing_there_is_another_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        read_features(tmp_path)
    assert caught.value.key == "engine.training.not_prepared"


def test_languages_are_told_from_phones_and_text(tmp_path: Path) -> None:
    rows = {
        "zh": ("n i3 h ao3", "[2, 2]", "你好"),
        "yue": ("Yn Yei5", "[2]", "你"),
        "ja": ("t o o ky o o", "None", "東京"),
        "ko": ("ㅇ ㅏ", "None", "안녕"),
        "en": ("HH AH0 L OW1", "None", "hello"),
    }
    lines = ["\t".join((name, *fields)) for name, fields in rows.items()]
    (tmp_path / "2-name2text.txt").write_text("\n".join([*lines, "torn\tline"]), encoding="utf-8")
    items = adopted_items(tmp_path, dict.fromkeys(rows, 1.0))
    assert {item.name: item.language for item in items} == {name: name for name in rows}
