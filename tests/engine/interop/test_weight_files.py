"""Files go out as upstream's and come back bit for bit; foreign ones are read for what they are."""

from __future__ import annotations

import json
import sys
import types
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_models import GPT_IN_FILES, SOVITS

from sovdeck.engine import interop
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return list(a) == list(b) and all(
        x.dtype == y.dtype and torch.equal(x, y)
        for x, y in zip(a.values(), b.values(), strict=True)
    )


def test_small_sovits_comes_back_bit_for_bit(micro_state, tmp_path) -> None:
    out = interop.write_sovits(tmp_path, "Atri", 4, 88, micro_state, SOVITS, {"loss_mel": 20.5})
    assert out.path == tmp_path / "Atri_e4_s88.pth"
    assert out.bytes == out.path.stat().st_size
    raw = torch.load(out.path, weights_only=True)
    assert list(raw) == ["weight", "config", "info"]
    assert raw["info"] == "4epoch_88iteration"
    assert all(t.dtype == torch.float16 for t in raw["weight"].values())
    assert not any("enc_q" in name for name in raw["weight"])
    assert type(raw["config"]) is dict and type(raw["config"]["model"]) is dict
    back = interop.read_sovits(out.path)
    want = {n: t.half() for n, t in micro_state.items() if "enc_q" not in n}
    assert same(back.state, want)
    assert (back.config, back.kind, back.role, back.version) == (SOVITS, "small", "generator", "v2")
    assert (back.epoch, back.step) == (4, 88)
    again = interop.write_sovits(tmp_path / "b", "Atri", 4, 88, back.state, back.config, {})
    assert again.sha256 == out.sha256


def test_small_gpt_comes_back_bit_for_bit(micro_gpt_state, tmp_path) -> None:
    out = interop.write_gpt(tmp_path, "Atri", 15, micro_gpt_state, GPT_IN_FILES, {})
    assert out.path.name == "Atri-e15.ckpt"
    raw = torch.load(out.path, weights_only=True)
    assert list(raw) == ["weight", "config", "info"] and raw["info"] == "GPT-e15"
    assert all(
        n.startswith("model.") and t.dtype == torch.float16 for n, t in raw["weight"].items()
    )
    back = interop.read_gpt(out.path)
    assert same(back.state, {n: t.half() for n, t in micro_gpt_state.items()})
    assert (back.kind, back.epoch, back.step, back.version) == ("small", 15, None, "v2")
    assert back.config.n_layer == GPT_IN_FILES.n_layer
    again = interop.write_gpt(tmp_path / "b", "Atri", 15, back.state, back.config, {})
    assert again.sha256 == out.sha256


def test_the_note_beside_a_file(micro_state, tmp_path) -> None:
    metrics = {"loss_mel": 20.5, "dataset": "ab12"}
    out = interop.write_sovits(tmp_path, "Atri", 4, 88, micro_state, SOVITS, metrics)
    note = json.loads((tmp_path / "Atri_e4_s88.pth.json").read_text(encoding="utf-8"))
    assert note["sha256"] == out.sha256 and note["bytes"] == out.bytes
    assert note["metrics"] == metrics and note["voice"] == "Atri"
    facts = interop.inspect_weights(out.path)
    assert facts["note"]["matches"] is True
    data = bytearray(out.path.read_bytes())
    data += b" "
    out.path.write_bytes(data)
    assert interop.inspect_weights(out.path)["note"]["matches"] is False


def test_nothing_half_written_stays(micro_state, tmp_path, monkeypatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        interop.write_sovits(tmp_path, "Atri", 4, 88, micro_state, SOVITS, {})
    assert list(tmp_path.iterdir()) == []


def test_weights_that_would_be_noise_are_not_written(micro_state, tmp_path) -> None:
    for value, why in ((float("nan"), "is not finite"), (1e6, "overflows float16")):
        state = {**micro_state, "dec.conv_pre.bias": torch.full((32,), value)}
        with pytest.raises(Problem, match=f"dec.conv_pre.bias {why}"):
            interop.write_sovits(tmp_path, "Atri", 4, 88, state, SOVITS, {})
    with pytest.raises(Problem, match=r"1 tensor is missing.*dec\.conv_pre\.bias"):
        state = {n: t for n, t in micro_state.items() if n != "dec.conv_pre.bias"}
        interop.write_sovits(tmp_path, "Atri", 4, 88, state, SOVITS, {})
    assert list(tmp_path.iterdir()) == []


def test_upstreams_pickled_configuration_is_read(micro_state, hparams, tmp_path) -> None:
    path = tmp_path / "Other_e8_s120.pth"
    config = {**SOVITS.to_upstream(), "pretrain": None, "save_weight_dir": "SoVITS_weights_v2"}
    weight = {n: t.half() for n, t in micro_state.items() if "enc_q" not in n}
    info = "8epoch_120iteration"
    torch.save(OrderedDict(weight=weight, config=hparams(**config), info=info), path)
    back = interop.read_sovits(path)
    assert back.config == SOVITS and same(back.state, weight)
    assert back.upstream_config["save_weight_dir"] == "SoVITS_weights_v2"


def test_full_checkpoints_and_bases(micro_state, tmp_path) -> None:
    torch.manual_seed(0)
    judge = Discriminator(SovitsConfig.v2())
    path = tmp_path / "G_233333333333.pth"
    torch.save(
        {"model": micro_state, "iteration": 8, "optimizer": {"state": {}}, "learning_rate": 1e-4},
        path,
    )
    with pytest.raises(Problem) as caught:  # a checkpoint holds no configuration: it is v2's
        interop.read_sovits(path)
    assert caught.value.key == "engine.weights.incomplete"

    torch.save({"weight": judge.state_dict()}, tmp_path / "s2D2333k.pth")
    assert same(interop.read_discriminator(tmp_path / "s2D2333k.pth"), judge.state_dict())
    torch.save({"model": judge.state_dict(), "iteration": 3, "optimizer": {}}, tmp_path / "D_9.pth")
    back = interop.read_sovits(tmp_path / "D_9.pth")
    assert (back.kind, back.role, back.epoch, back.step) == ("checkpoint", "discriminator", 3, 9)

    base = {"weight": micro_state, "config": SOVITS.to_upstream()}
    torch.save(base, tmp_path / "s2G2333k.pth")
    back = interop.read_sovits(tmp_path / "s2G2333k.pth")
    assert back.kind == "base" and same(back.state, dict(micro_state))
    with pytest.raises(Problem, match="SoVITS generator"):
        interop.read_discriminator(tmp_path / "s2G2333k.pth")


def test_lightning_checkpoints(micro_gpt_state, tmp_path) -> None:
    path = tmp_path / "epoch=14-step=90.ckpt"
    config = {**GPT_IN_FILES.to_upstream(), "train": {"seed": 1234}}
    content = {
        "epoch": 14,
        "global_step": 90,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": OrderedDict(("model." + n, t) for n, t in micro_gpt_state.items()),
        "loops": {},
        "callbacks": {},
        "optimizer_states": [],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"config": config, "output_dir": Path("logs/x/logs_s1_v2")},
    }
    torch.save(content, path)
    back = interop.read_gpt(path)
    assert (back.kind, back.epoch, back.step) == ("checkpoint", 15, 90)
    assert same(back.state, dict(micro_gpt_state))
    assert back.checkpoint is not None
    assert back.checkpoint["hyper_parameters"]["output_dir"] == "logs/x/logs_s1_v2"
    base = {"weight": content["state_dict"], "config": config}
    torch.save(base, tmp_path / "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt")
    facts = interop.inspect_weights(tmp_path / "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt")
    assert (facts["family"], facts["runs"]) == ("gpt", True)


def test_lightnings_own_dict_is_read_as_a_dict(micro_gpt_state, tmp_path, monkeypatch) -> None:
    name = "lightning.fabric.utilities.data"
    module = types.ModuleType(name)

    class AttributeDict(dict):
        pass

    AttributeDict.__module__, AttributeDict.__qualname__ = name, "AttributeDict"
    module.AttributeDict = AttributeDict  # type: ignore[attr-defined]
    for part in ("lightning", "lightning.fabric", "lightning.fabric.utilities"):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    monkeypatch.setitem(sys.modules, name, module)
    state = {f"model.{n}": t for n, t in micro_gpt_state.items()}
    hyper = AttributeDict(config=GPT_IN_FILES.to_upstream(), output_dir=Path("/root/x"))
    path = tmp_path / "epoch=1-step=9.ckpt"
    torch.save({"state_dict": state, "hyper_parameters": hyper, "epoch": 1}, path)
    back = interop.read_gpt(path)
    assert back.checkpoint is not None
    assert type(back.checkpoint["hyper_parameters"]) is dict
    assert back.checkpoint["hyper_parameters"]["output_dir"] == "/root/x"
    assert same(back.state, dict(micro_gpt_state))


def test_gpt_is_strict_and_families_are_not_mixed_up(
    micro_state, micro_gpt_state, tmp_path
) -> None:
    voice = interop.write_gpt(tmp_path, "A", 1, micro_gpt_state, GPT_IN_FILES, {}).path
    with pytest.raises(Problem, match="is a GPT weight, but a SoVITS weight"):
        interop.read_sovits(voice)
    timbre = interop.write_sovits(tmp_path, "A", 1, 2, micro_state, SOVITS, {}).path
    with pytest.raises(Problem, match="is a SoVITS weight, but a GPT weight"):
        interop.read_gpt(timbre)
    raw = torch.load(voice, weights_only=True)
    raw["weight"]["model.extra"] = torch.zeros(1)
    torch.save(raw, voice)
    with pytest.raises(Problem, match=r"first extra"):
        interop.read_gpt(voice)
    raw = torch.load(timbre, weights_only=True)
    raw["weight"]["left.over"] = torch.zeros(1)  # upstream loads SoVITS without strictness
    torch.save(raw, timbre)
    assert "left.over" in interop.read_sovits(timbre).state
    raw["weight"]["dec.conv_pre.bias"] = torch.zeros(3)
    torch.save(raw, timbre)
    with pytest.raises(Problem, match=r"dec\.conv_pre\.bias"):
        interop.read_sovits(timbre)


def test_marked_v2_is_read_and_the_tensors_name_the_rest(micro_state, tmp_path) -> None:
    path = interop.write_sovits(tmp_path, "A", 1, 2, micro_state, SOVITS, {}).path
    plain = path.read_bytes()
    want = interop.read_sovits(path).state
    path.write_bytes(b"01" + plain[2:])
    assert same(interop.read_sovits(path).state, want)

    def reported(change) -> str:
        path.write_bytes(plain)
        raw = torch.load(path, weights_only=True)
        change(raw)
        torch.save(raw, path)
        with pytest.raises(Problem) as caught:
            interop.read_sovits(path)
        assert caught.value.key.startswith("engine.weights.version_")
        return str(caught.value.facts["version"])

    def rows(count: int):
        return lambda raw: raw["weight"].update(
            {"enc_p.text_embedding.weight": torch.zeros(count, 4).half()}
        )

    assert reported(rows(322)) == "v1"
    assert reported(rows(500)) == "unknown"
    assert reported(lambda raw: raw.update(lora_rank=32)) == "v3 or v4 LoRA"


def test_a_configuration_that_builds_nothing(micro_state, micro_gpt_state, tmp_path) -> None:
    path = interop.write_sovits(tmp_path, "A", 1, 2, micro_state, SOVITS, {}).path
    raw = torch.load(path, weights_only=True)
    for change in ({"n_layers": 10**9}, {"hidden_channels": "wide"}, {"upsample_rates": [2]}):
        forged = {**raw, "config": {"model": {**raw["config"]["model"], **change}}}
        torch.save(forged, path)
        with pytest.raises(Problem) as caught:
            interop.read_sovits(path)
        assert caught.value.key == "engine.weights.bad_config"
    path = interop.write_gpt(tmp_path, "A", 1, micro_gpt_state, GPT_IN_FILES, {}).path
    raw = torch.load(path, weights_only=True)
    changes: tuple[dict[str, Any], ...] = (
        {"n_layer": 10**9},
        {"hidden_dim": 7},
        {"head": 0},
        {"EOS": None},
    )
    for change in changes:
        forged = {**raw, "config": {"model": {**raw["config"]["model"], **change}}}
        torch.save(forged, path)
        with pytest.raises(Problem) as caught:
            interop.read_gpt(path)
        assert caught.value.key == "engine.weights.bad_config"
    with pytest.raises(Problem) as caught:
        torch.save({**raw, "config": None}, path)
        interop.read_gpt(path)
    assert caught.value.key == "engine.weights.bad_config"


def test_what_inspection_says(micro_state, tmp_path) -> None:
    path = interop.write_sovits(tmp_path, "A", 3, 7, micro_state, SOVITS, {}).path
    facts = interop.inspect_weights(path)
    json.dumps(facts)
    assert (facts["family"], facts["kind"], facts["version"]) == ("sovits", "small", "v2")
    assert (facts["epoch"], facts["step"], facts["runs"]) == (3, 7, True)
    assert facts["posterior_left_out"] is True and facts["missing"]["count"] == 0
    assert (
        facts["network"] == "other" and facts["extra"]["count"] == 0 and facts["not_finite"] == []
    )
    assert facts["dtypes"] == {"float16": facts["tensors"]}
    raw = torch.load(path, weights_only=True)
    raw["weight"]["dec.cond.bias"][0] = float("inf")
    torch.save(raw, path)
    facts = interop.inspect_weights(path)
    assert facts["not_finite"] == ["dec.cond.bias"] and facts["runs"] is False


def test_other_sizes_survive(tmp_path) -> None:
    from sovdeck.engine.models.sovits.synthesizer import Synthesizer

    for config in (
        replace(SOVITS, n_layers=4, n_layers_content=3),
        replace(SOVITS, periods=(2, 3)),
    ):
        path = interop.write_sovits(
            tmp_path, "A", 1, 1, Synthesizer(config).state_dict(), config, {}
        ).path
        assert interop.read_sovits(path).config == config
