"""What upstream's own readers ask of a file is in ours (compat SPEC 1.1 and 1.5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_models import GPT_IN_FILES, SOVITS

from sovdeck.engine import interop
from sovdeck.engine.interop.expected_keys import discriminator_shapes, generator_shapes, gpt_shapes
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.sovits.config import SovitsConfig

DATA = Path(__file__).resolve().parents[2] / "data" / "vectors"


class Attributes(dict):
    """A dict whose sections are attributes too, as upstream wraps a plain configuration."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __init__(self, entries: dict[str, Any]) -> None:
        super().__init__(entries)
        for name, value in entries.items():
            setattr(self, name, Attributes(value) if isinstance(value, dict) else value)


def test_sovits_reader_finds_what_it_needs(micro_state, tmp_path) -> None:
    path = interop.write_sovits(tmp_path, "Atri", 8, 96, micro_state, SOVITS, {}).path
    assert path.read_bytes()[:2] == b"PK"
    raw = torch.load(path, map_location="cpu", weights_only=True)  # nothing but plain values
    config = Attributes(raw["config"])
    config.model.semantic_frame_rate = "25hz"
    data = config.data
    assert (data.filter_length, data.hop_length, data.win_length) == (2048, 640, 2048)
    assert (data.sampling_rate, data.n_speakers) == (32000, 300)
    assert config.train.segment_size // data.hop_length == SOVITS.segment_frames
    named = {
        "inter_channels",
        "hidden_channels",
        "filter_channels",
        "n_heads",
        "n_layers",
        "kernel_size",
        "p_dropout",
        "resblock",
        "resblock_kernel_sizes",
        "resblock_dilation_sizes",
        "upsample_rates",
        "upsample_initial_channel",
        "upsample_kernel_sizes",
        "gin_channels",
        "use_spectral_norm",
        "freeze_quantizer",
        "version",
    }
    assert named <= set(config.model)
    assert config.model.version == "v2"
    assert raw["weight"]["enc_p.text_embedding.weight"].shape[0] == 732
    assert not hasattr(raw["weight"], "_metadata")


def test_gpt_reader_finds_what_it_needs(micro_gpt_state, tmp_path) -> None:
    path = interop.write_gpt(tmp_path, "Atri", 15, micro_gpt_state, GPT_IN_FILES, {}).path
    raw = torch.load(path, map_location="cpu", weights_only=True)
    assert raw["config"]["data"]["max_sec"] == 54
    model = raw["config"]["model"]
    assert {
        "hidden_dim",
        "embedding_dim",
        "head",
        "n_layer",
        "vocab_size",
        "phoneme_vocab_size",
        "dropout",
        "EOS",
    } <= set(model)
    assert (model["vocab_size"], model["EOS"]) == (1025, 1024)


@pytest.mark.parametrize(
    ("file", "shapes", "prefix"),
    [
        ("sovits_v2_generator", lambda: generator_shapes(SovitsConfig.v2()), ""),
        ("sovits_v2_discriminator", lambda: discriminator_shapes(SovitsConfig.v2()), ""),
        ("gpt_v2", lambda: gpt_shapes(GptConfig.v2()), "model."),
    ],
)
def test_names_and_shapes_are_upstreams(file, shapes, prefix) -> None:
    path = DATA / f"{file}.json"
    want = json.loads(path.read_text(encoding="utf-8"))
    got = {prefix + name: list(shape) for name, shape in shapes().items()}
    assert list(got.items()) == [(name, entry["shape"]) for name, entry in want.items()]
