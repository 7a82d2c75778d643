"""v2Pro files: written so that upstream knows them, and told by their tensors when read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from interop_micro import micro
from micro_models import GPT, SOVITS

from sovdeck.engine import interop
from sovdeck.engine.contract.catalogue import LANGUAGES, text
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.interop import versions
from sovdeck.engine.interop.pretrained import download_pretrained, import_pretrained
from sovdeck.engine.interop.speaker_file import read_speaker
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.speaking.weights import load_sovits
from sovdeck.engine.training.initial_weights import InitialWeights
from sovdeck.engine.training.upstream_states import import_checkpoint


def state_of(config: SovitsConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return Synthesizer(config).state_dict()


@pytest.mark.parametrize(("version", "head"), [("v2Pro", b"05"), ("v2ProPlus", b"06")])
def test_small_weights_go_out_as_upstreams_and_come_back(version, head, tmp_path) -> None:
    config = micro(version)
    state = state_of(config)
    out = interop.write_sovits(tmp_path, "Atri", 4, 88, state, config, {})
    data = out.path.read_bytes()
    assert data[:2] == head and len(data) == out.bytes
    # What upstream's reader does: the zip's own head again, then a plain load.
    plain = tmp_path / "plain.pth"
    plain.write_bytes(b"PK" + data[2:])
    raw = torch.load(plain, weights_only=True)
    assert list(raw) == ["weight", "config", "info"]
    assert raw["config"]["version"] == raw["config"]["model"]["version"] == version
    five = ("sv_emb.weight", "sv_emb.bias", "ge_to512.weight", "ge_to512.bias", "prelu.weight")
    assert set(five) <= set(raw["weight"])
    assert not any("enc_q" in name for name in raw["weight"])
    for path in (out.path, plain):  # with upstream's head or without: the tensors tell
        back = interop.read_sovits(path)
        assert (back.version, back.kind, back.config) == (version, "small", config)
        assert torch.equal(back.state["sv_emb.weight"], state["sv_emb.weight"].half())
    again = interop.write_sovits(tmp_path / "b", "Atri", 4, 88, back.state, back.config, {})
    assert again.sha256 == out.sha256
    facts = interop.inspect_weights(out.path)
    assert (facts["version"], facts["runs"], facts["note"]["matches"]) == (version, True, True)


def test_full_size_weights_have_upstreams_count_of_tensors() -> None:
    from sovdeck.engine.interop.expected_keys import generator_shapes

    for version, width in (("v2Pro", 134_723_842), ("v2ProPlus", 172_544_514)):
        shapes = generator_shapes(SovitsConfig.of(version))
        kept = {name: shape for name, shape in shapes.items() if "enc_q" not in name}
        assert len(kept) == 678
        assert sum(2 * torch.Size(shape).numel() for shape in kept.values()) == width


@pytest.mark.parametrize("version", ["v2", "v2Pro", "v2ProPlus"])
@pytest.mark.parametrize("label", ["v2", "v4", "v2Pro", "v2ProPlus", None])
def test_labels_do_not_decide(version, label, tmp_path) -> None:
    """A file is what its tensors are, whatever its configuration calls it."""
    config = micro(version)
    said: dict[str, Any] = config.to_upstream()
    for section in (said, said["model"]):
        section.pop("version")
        if label is not None:
            section["version"] = label
    path = tmp_path / "x.pth"
    torch.save({"weight": state_of(config), "config": said, "info": ""}, path)
    back = interop.read_sovits(path)
    assert (back.version, back.config) == (version, config)


@pytest.mark.parametrize("version", ["v2", "v2Pro"])
@pytest.mark.parametrize("head", [b"01", b"02", b"04", b"05", b"77"])
def test_first_bytes_do_not_decide(version, head, tmp_path) -> None:
    config = micro(version)
    path = tmp_path / "x.pth"
    torch.save({"weight": state_of(config), "config": config.to_upstream()}, path)
    path.write_bytes(head + path.read_bytes()[2:])
    assert interop.read_sovits(path).version == version


def test_a_discriminator_is_told_by_its_seventh_network(tmp_path) -> None:
    for version, networks in (("v2", 6), ("v2Pro", 8)):
        path = tmp_path / f"D_{networks}.pth"
        model = Discriminator(SovitsConfig.of(version))
        torch.save({"weight": model.state_dict()}, path)
        back = interop.read_sovits(path)
        assert (back.role, back.version) == ("discriminator", version)
        assert len(back.config.periods) + 1 == networks
        facts = interop.inspect_weights(path)
        assert facts["runs"] and facts["extra"]["count"] == facts["missing"]["count"] == 0


def _v1(state: dict[str, torch.Tensor], raw: dict[str, Any]) -> None:
    state["enc_p.text_embedding.weight"] = torch.zeros(322, 4)


def _diffusion(state: dict[str, torch.Tensor], raw: dict[str, Any]) -> None:
    for name in [name for name in state if name.startswith(("dec.", "enc_q.", "flow."))]:
        del state[name]
    state["bridge.0.weight"] = torch.zeros(4, 4, 1)


def _v4(state: dict[str, torch.Tensor], raw: dict[str, Any]) -> None:
    _diffusion(state, raw)
    raw["config"]["version"] = "v4"


def _lora(state: dict[str, torch.Tensor], raw: dict[str, Any]) -> None:
    _diffusion(state, raw)
    raw["lora_rank"] = 32


@pytest.mark.parametrize(
    ("change", "key", "version"),
    [
        (_v1, "version_v1", "v1"),
        (_diffusion, "version_v3_or_v4", "v3 or v4"),
        (_v4, "version_v4", "v4"),
        (_lora, "version_lora", "v3 or v4 LoRA"),
    ],
)
def test_other_versions_get_a_sentence_of_their_own(change, key, version, tmp_path: Path) -> None:
    raw: dict[str, Any] = {"weight": state_of(SOVITS), "config": SOVITS.to_upstream()}
    for section in (raw["config"], raw["config"]["model"]):
        section.pop("version")
    change(raw["weight"], raw)
    path = tmp_path / "x.pth"
    torch.save(raw, path)
    with pytest.raises(Problem) as caught:
        interop.read_sovits(path)
    assert caught.value.key == f"engine.weights.{key}"
    assert caught.value.facts["version"] == version
    assert interop.inspect_weights(path)["runs"] is False
    for language in LANGUAGES:
        sentence = caught.value.sentence(language)
        assert "v2ProPlus" in sentence and "{" not in sentence
    assert " or " not in caught.value.sentence("zh")


def _speak(path: Path) -> None:
    load_sovits(path)


def _start_from(path: Path) -> None:
    folder = path.parent / "set"
    folder.mkdir()
    path.rename(folder / "s2G-own.pth")
    initial = InitialWeights(folder, True, SOVITS, GPT, 1, "pretrained:set")
    initial.load_state("sovits")


def _convert(path: Path) -> None:
    raw = torch.load(path, weights_only=True)
    extra = {name: raw[name] for name in raw if name not in ("weight", "info")}
    for letter in "GD":
        content = {**extra, "model": raw["weight"], "iteration": 1, "optimizer": {}}
        torch.save(content, path.with_name(f"{letter}_7.pth"))
    import_checkpoint(path.with_name("G_7.pth"), path.parent / "states")


def _import_set(path: Path) -> None:
    path.rename(path.with_name("s2G2333k.pth"))
    import_pretrained(path.parent / "set", path.parent)


def _get_set(path: Path) -> None:
    path.rename(path.with_name("s2G2333k.pth"))
    download_pretrained(
        path.parent / "set", (str(path.parent),), version="v2", progress=lambda *_: None
    )


@pytest.mark.parametrize("enter", [_speak, _start_from, _convert, _import_set, _get_set])
@pytest.mark.parametrize(
    ("change", "key"),
    [(_v1, "v1"), (_v4, "v4"), (_diffusion, "v3_or_v4"), (_lora, "lora")],
)
def test_each_way_in_says_what_a_file_of_another_version_is(
    change, key, enter, tmp_path: Path
) -> None:
    raw: dict[str, Any] = {"weight": state_of(SOVITS), "config": SOVITS.to_upstream()}
    for section in (raw["config"], raw["config"]["model"]):
        section.pop("version")
    change(raw["weight"], raw)
    torch.save(raw, tmp_path / "x.pth")
    with pytest.raises(Problem) as caught:
        enter(tmp_path / "x.pth")
    for language in LANGUAGES:
        shown = text(f"engine.weights.version_{key}", path="").get(language).strip()
        whole = caught.value.message.get(language)
        assert shown.rstrip(".。") in whole and "not whole" not in whole
    assert not (tmp_path / "states").exists() and not (tmp_path / "set/s2G2333k.pth").exists()


def test_starting_weights_of_another_preset_are_named(tmp_path: Path) -> None:
    torch.save(
        {"weight": state_of(micro("v2Pro")), "config": micro("v2Pro").to_upstream()},
        tmp_path / "x.pth",
    )
    with pytest.raises(Problem) as caught:
        _start_from(tmp_path / "x.pth")
    assert caught.value.key == "engine.training.base_version"
    assert (caught.value.facts["version"], caught.value.facts["want"]) == ("v2Pro", "v2")


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_the_official_base_is_told_by_its_first_bytes(
    version, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors do not tell v3 from v4, and the official bases carry no label."""
    raw: dict[str, Any] = {"weight": state_of(SOVITS), "config": {}}
    _diffusion(raw["weight"], raw)
    torch.save(raw, tmp_path / "x.pth")
    head = (tmp_path / "x.pth").read_bytes()[:8192]
    digest = hashlib.md5(head, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(versions.OFFICIAL_BASES, digest, version)
    with pytest.raises(Problem) as caught:
        interop.read_sovits(tmp_path / "x.pth")
    assert caught.value.key == f"engine.weights.version_{version}"


def test_a_version_without_tensors_that_tell_is_named_by_its_label(tmp_path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"weight": {"other.weight": torch.zeros(2)}, "config": {"version": "v3"}}, path)
    with pytest.raises(Problem) as caught:
        interop.read_sovits(path)
    assert caught.value.key == "engine.weights.version_v3"
    torch.save({"weight": {"other.weight": torch.zeros(2)}}, path)
    with pytest.raises(Problem) as caught:
        interop.read_sovits(path)
    assert caught.value.key == "engine.weights.version_unknown"


def test_the_speaker_network_is_read_strictly(tmp_path) -> None:
    path = tmp_path / "pretrained_eres2netv2w24s4ep4.ckpt"
    made = SpeakerEncoder.random(5)
    state = made.model.state_dict()
    torch.save(state, path)
    wav = torch.randn(6000, generator=torch.Generator().manual_seed(2)) * 0.1
    assert torch.equal(read_speaker(path).vector(wav), made.vector(wav))
    for change in ({"extra.weight": torch.zeros(1)}, {"seg_1.bias": torch.zeros(3)}):
        torch.save({**state, **change}, path)
        with pytest.raises(Problem) as caught:
            read_speaker(path)
        assert caught.value.key == "engine.weights.no_speaker"
