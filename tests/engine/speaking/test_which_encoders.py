"""Two pretrained sets are normal: a voice speaks with the encoders it was trained with."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_voice import VOICE, Models, make_voice, write_epoch

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop.atomic_export import sidecar_path
from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.frozen.text_encoder import TextEncoder
from sovdeck.engine.prepare import frozen_encoders
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.voice_loader import VoiceLoader

CONTENT = "chinese-hubert-base"


@pytest.fixture
def work(tmp_path: Path, models: Models) -> Path:
    """A voice with one epoch and no base, beside two sets with different encoders."""
    write_epoch(tmp_path, models, 2)
    for number, name in enumerate(("mine", "v2"), start=1):
        folder = tmp_path / "pretrained" / name / CONTENT
        ContentEncoder.untrained(number, hidden=32).model.save_pretrained(folder)
    return tmp_path


def speaks_with(work: Path) -> Path:
    """The folder its content encoder is loaded from."""
    loader = VoiceLoader(work, VOICE)
    pipeline = loader.open_pipeline(loader.gpt_path(), loader.sovits_path())
    return Path(pipeline.content_encoder.get().model.name_or_path)  # type: ignore[attr-defined]


def note(work: Path, base: str) -> None:
    """Say in the weight's note what it was trained from."""
    path = sidecar_path(VoiceLoader(work, VOICE).sovits_path())
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "metrics": {**facts["metrics"], "base": base}}))


def test_the_weights_note_decides(work: Path) -> None:
    note(work, "pretrained:mine/v2/0123")
    assert speaks_with(work).parent.name == "mine"
    note(work, "pretrained:v2/v2/0123")
    assert speaks_with(work).parent.name == "v2"


def test_the_run_decides_where_the_weight_has_no_note(work: Path) -> None:
    runs = work / "runs" / "r1"
    runs.mkdir(parents=True)
    (runs / "spec.json").write_text(RunSpec("r1", VOICE, "v2", pretrained="mine").to_json())
    assert speaks_with(work).parent.name == "mine"


def test_a_run_that_failed_does_not_decide_for_a_voice_from_nothing(
    work: Path, models: Models
) -> None:
    """A full run failed first; the toy that was trained then has encoders of its own."""
    make_voice(work, models)
    started = {"failed": "mine", "toy": None}
    for number, (run, pretrained) in enumerate(started.items()):
        path = work / "runs" / run / "spec.json"
        path.parent.mkdir(parents=True)
        path.write_text(RunSpec(run, VOICE, "tiny", pretrained=pretrained).to_json())
        os.utime(path, (number, number))
    loader = VoiceLoader(work, VOICE)
    for told in (lambda: None, lambda: note(work, "made:0-1-2")):
        told()
        pipeline = loader.open_pipeline(loader.gpt_path(), loader.sovits_path())
        assert str(pipeline.content_encoder.identity).startswith("untrained")  # type: ignore[attr-defined]


def test_sets_with_the_same_encoder_are_one(work: Path) -> None:
    sets = work / "pretrained"
    with pytest.raises(Problem) as caught:
        speaks_with(work)
    assert caught.value.key == "engine.speaking.which_set"
    assert caught.value.facts["found"] == "mine, v2"
    shutil.rmtree(sets / "mine" / CONTENT)
    shutil.copytree(sets / "v2" / CONTENT, sets / "mine" / CONTENT)
    assert speaks_with(work).name == CONTENT


def test_a_voice_from_a_set_is_not_taken_for_one_from_nothing(
    tmp_path: Path, work: Path, models: Models
) -> None:
    """It was first trained from nothing, whose base still lies there."""
    make_voice(work, models)
    note(work, "pretrained:mine/v2/0123")
    assert speaks_with(work).parent.name == "mine"


def test_only_a_chinese_sentence_loads_the_text_encoder(
    work: Path, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []

    class Reached(Exception):
        """The text encoder would be loaded now."""

    def load(folder: Path, **_: Any) -> TextEncoder:
        loads.append(folder)
        raise Reached

    monkeypatch.setattr(frozen_encoders.TextEncoder, "load", load)
    (work / "pretrained" / "mine" / "chinese-roberta-wwm-ext-large").mkdir()
    note(work, "pretrained:mine/v2/0123")
    loader = VoiceLoader(work, VOICE)
    pipeline: SpeechPipeline = loader.open_pipeline(loader.gpt_path(), loader.sovits_path())
    pipeline.speak(ask("Hello there, all of you.", text_lang="en"))
    assert loads == []
    with pytest.raises(Reached):
        pipeline.speak(ask("你好，世界。", text_lang="zh"))
    assert [folder.parent.name for folder in loads] == ["mine"]


def test_pairs_of_one_voice_share_the_encoders(work: Path, models: Models) -> None:
    write_epoch(work, models, 10)
    note(work, "pretrained:v2/v2/0123")
    loader = VoiceLoader(work, VOICE)
    first, second = (
        loader.open_pipeline(gpt.path, loader.sovits_path()) for gpt in loader.gpt_weights()
    )
    assert first.content_encoder is second.content_encoder
