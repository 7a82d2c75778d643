"""A run from recordings to a packed v2Pro voice, at its smallest."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import soundfile
import torch
from whole_run import FEW, events, write_spec

from sovdeck.engine import interop
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.pretrained_set import files_for, resolve_preset
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.engine.runs.run import execute_run
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.voice.pack import pack_voice


@pytest.fixture(scope="module")
def trained_pro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("pro")
    make_practice_set(work / "data" / "Mei", "Mei", clips=4)
    result = execute_run(write_spec(work, "one", preset="tinyPro"))
    assert result.status == "succeeded", result.problem
    return work


def test_every_promise_of_a_v2pro_run(trained_pro: Path) -> None:
    state = fold(RunState(), events(trained_pro, "one"))
    assert (state.status, state.exit_code) == ("succeeded", 0)
    for event in events(trained_pro, "one"):
        if event.type == "stage_finished" and event.stage in ("sovits", "gpt"):
            assert event.payload["after"] < event.payload["before"]
            assert event.payload["change"] > 0
    vectors = sorted((trained_pro / "logs/Mei/7-sv_cn").iterdir())
    assert len(vectors) == 4
    assert torch.load(vectors[0], weights_only=True).shape == (1, 1280)
    file = trained_pro / "SoVITS_weights_v2Pro/Mei/Mei_e3_s12.pth"
    assert file.read_bytes()[:2] == b"05"
    small = interop.read_sovits(file)
    assert small.version == "v2Pro" and "sv_emb.weight" in small.state
    base = torch.load(trained_pro / "logs/Mei/base_v2Pro/sovits.pt", weights_only=True)
    for name in ("sv_emb.weight", "ge_to512.weight", "prelu.weight"):
        assert not torch.equal(base[name].half(), small.state[name]), f"{name} was not trained"
    samples, rate = soundfile.read(trained_pro / "logs/Mei/proof.wav")
    assert rate == 32000 and abs(samples).max() > 0


@pytest.mark.long
def test_a_voice_keeps_v2_beside_v2pro_and_each_goes_on_from_its_own_state(
    trained_pro: Path,
) -> None:
    """v2 in between takes nothing from v2Pro: neither states nor weights, nor what is spoken."""
    loader = VoiceLoader(trained_pro, "Mei")
    pro = loader.sovits_path()
    assert execute_run(write_spec(trained_pro, "v2")).status == "succeeded"
    assert (trained_pro / "SoVITS_weights/Mei/Mei_e3_s12.pth").is_file()
    assert loader.sovits_path() == trained_pro / "SoVITS_weights/Mei/Mei_e3_s12.pth"
    with zipfile.ZipFile(trained_pro / "packs/Mei.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["architecture"] == "GPT-SoVITS v2"
        assert "SoVITS_weights/Mei/Mei_e3_s12.pth" in archive.namelist()
    params = {**FEW, "sovits.epochs": 4, "gpt.epochs": 4}
    assert (
        execute_run(write_spec(trained_pro, "on", preset="tinyPro", params=params)).status
        == "succeeded"
    )
    state = fold(RunState(), events(trained_pro, "on"))
    for stage in ("sovits", "gpt"):
        done = state.stage(stage)
        assert done is not None and done.updates == 4, "three epochs were done already"
    listed = [(row.as_json()["name"], row.version) for row in loader.sovits_weights()]
    assert listed == [
        ("Mei_e3_s12.pth", "v2"),
        ("v2Pro/Mei_e3_s12.pth", "v2Pro"),
        ("v2Pro/Mei_e4_s16.pth", "v2Pro"),
    ]
    assert loader.sovits_path("v2Pro/Mei_e3_s12.pth") == pro
    assert loader.sovits_path("Mei_e3_s12.pth").parent.parent.name == "SoVITS_weights"
    assert loader.gpt_path().parent.parent.name == "GPT_weights_v2Pro"
    every = pack_voice(Layout.at(trained_pro.as_posix()), "Mei", "all-epochs")
    assert {"GPT_weights/Mei/Mei-e3.ckpt", "GPT_weights_v2Pro/Mei/Mei-e4.ckpt"} <= set(every.files)
    with zipfile.ZipFile(every.path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["architecture"] == "GPT-SoVITS v2, v2Pro"


def test_auto_is_v2pro_but_where_only_v2_is_there(tmp_path: Path) -> None:
    layout = Layout.at(tmp_path.as_posix())
    spec = RunSpec("r", "v", pretrained="v2")
    assert spec.preset == "auto"
    assert resolve_preset(spec, layout).preset == "v2Pro", "whose files are then named"
    folder = tmp_path / "pretrained" / "v2"
    for version, want in (("v2", "v2"), ("v2Pro", "v2Pro")):
        for file in files_for(version):
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.name).write_bytes(b"")
        assert resolve_preset(spec, layout).preset == want
    assert resolve_preset(RunSpec("r", "v", "v2", pretrained="v2"), layout).preset == "v2"
