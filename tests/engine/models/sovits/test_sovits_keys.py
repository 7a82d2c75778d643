"""State-dict names, order, shapes and types are those of GPT-SoVITS v2 files."""

from __future__ import annotations

import json

import pytest
import torch
from sovits_fill import DATA

from sovdeck.engine.models.sovits.config import VERSIONS, SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer


def described(model: torch.nn.Module) -> list[tuple[str, list[int], str]]:
    return [
        (name, list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in model.state_dict().items()
    ]


@pytest.mark.parametrize(
    ("network", "version", "file", "count"),
    [
        (Synthesizer, "v2", "sovits_v2_generator", 776),
        (Discriminator, "v2", "sovits_v2_discriminator", 111),
        (Synthesizer, "v2Pro", "sovits_v2pro_generator", 781),
        (Discriminator, "v2Pro", "sovits_v2pro_discriminator", 147),
        (Synthesizer, "v2ProPlus", "sovits_v2proplus_generator", 781),
        (Discriminator, "v2ProPlus", "sovits_v2proplus_discriminator", 147),
    ],
)
def test_state_dict_is_upstreams(network, version, file, count) -> None:
    path = DATA / "vectors" / f"{file}.json"
    want = json.loads(path.read_text(encoding="utf-8"))
    with torch.device("meta"):
        got = described(network(SovitsConfig.of(version)))
    assert len(got) == count
    assert got == [(name, entry["shape"], entry["dtype"]) for name, entry in want.items()]


@pytest.mark.parametrize("version", VERSIONS)
def test_template_configuration_is_the_versions(version) -> None:
    path = DATA / "vectors" / f"config_sovits_{version.lower()}.json"
    template = json.loads(path.read_text(encoding="utf-8"))
    assert SovitsConfig.from_dict(template) == SovitsConfig.of(version)
    ours = SovitsConfig.of(version).to_upstream()
    assert ours["model"] == template["model"]
    assert ours["data"] == template["data"]
    assert ours["train"].items() <= template["train"].items()


@pytest.mark.parametrize(
    "config",
    [*map(SovitsConfig.of, VERSIONS), SovitsConfig.tiny(), SovitsConfig.tiny_pro()],
    ids=[*VERSIONS, "tiny", "tiny_pro"],
)
def test_configuration_survives_upstreams_words(config) -> None:
    assert SovitsConfig.from_dict(json.loads(json.dumps(config.to_upstream()))) == config


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"hidden_channels": 10**9}},
        {"model": {"hidden_channels": -1}},
        {"model": {"n_heads": True}},
        {"model": {"n_heads": 5}},
        {"model": {"n_layers": "six"}},
        {"model": {"p_dropout": 2}},
        {"model": {"version": "v3"}},
        {"model": {"upsample_rates": [10, 8]}},
        {"model": {"upsample_rates": []}},
        {"model": {"upsample_kernel_sizes": [16]}},
        {"model": {"resblock_kernel_sizes": [3]}},
        {"model": {"inter_channels": 191}},
        {"model": []},
        {"data": {"sampling_rate": 48000}},
        {"data": {"hop_length": 320}},
    ],
    ids=str,
)
def test_impossible_configuration_is_refused(change) -> None:
    with pytest.raises(ValueError, match="."):
        SovitsConfig.from_dict(change)
