"""The speaker network of v2Pro against upstream's arrays: features, every stage, the vector."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sovits_fill import DATA, speaker_weight, stats
from torch import Tensor
from v2pro_golden import Sizes, read_arrays

from sovdeck.engine.audio.resample import resample
from sovdeck.engine.models.speaker.config import SpeakerConfig
from sovdeck.engine.models.speaker.eres2net import ERes2NetV2
from sovdeck.engine.models.speaker.features import kaldi_features


@pytest.fixture(scope="module")
def sizes() -> Sizes:
    return Sizes.read()


@pytest.fixture(scope="module")
def network(sizes: Sizes) -> ERes2NetV2:
    model = ERes2NetV2(SpeakerConfig()).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(speaker_weight(name, tensor.shape, sizes.salt))
    return model


@torch.no_grad()
def test_v2pro_golden_features_stages_and_vector(sizes, network, close) -> None:
    want = read_arrays("sv")
    features = kaldi_features(sizes.signal("sv_wav", sizes.sv_wav, 16000)[0])
    close(features, want["fbank"])
    seen: dict[str, Tensor] = {}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        part = network.get_submodule(name)
        part.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
    network.layer1.register_forward_pre_hook(lambda _m, i: seen.__setitem__("stem", i[0]))
    vector = network(features[None])
    np.testing.assert_allclose(stats(seen["stem"]), want["stem_stats"], rtol=1e-5, atol=1e-6)
    for name in ("layer1", "layer2", "layer3", "layer4"):
        assert list(seen[name].shape) == want[f"{name}_shape"].tolist()
        np.testing.assert_allclose(stats(seen[name]), want[f"{name}_stats"], rtol=1e-4, atol=1e-5)
    close(vector, want["emb"])


def test_v2pro_golden_resampling(sizes, close) -> None:
    want = read_arrays("sv")
    wav = resample(sizes.signal("sv_wav32", 32000)[0].numpy(), 32000, 16000)
    close(torch.from_numpy(wav)[:4000], want["resampled"].reshape(-1))
    np.testing.assert_allclose(
        stats(torch.from_numpy(wav)), want["resampled_stats"], rtol=1e-5, atol=1e-6
    )


def test_speaker_keys_are_those_of_the_weight_file() -> None:
    path = DATA / "vectors" / "sv_eres2netv2.json"
    want = json.loads(path.read_text(encoding="utf-8"))
    with torch.device("meta"):
        state = ERes2NetV2(SpeakerConfig()).state_dict()
    got = [(n, list(t.shape), str(t.dtype).removeprefix("torch.")) for n, t in state.items()]
    assert got == [(name, entry["shape"], entry["dtype"]) for name, entry in want.items()]
    assert len(got) == 1001


def test_loudness_stays_in_the_vector(network) -> None:
    """Nothing is normalised away: half the wave is another vector, as upstream's is."""
    wav = torch.randn(8000, generator=torch.Generator().manual_seed(1)) * 0.2
    with torch.no_grad():
        whole = network(kaldi_features(wav)[None])
        half = network(kaldi_features(wav / 2)[None])
    assert (whole - half).abs().max() > 0.1 * whole.abs().max()


def test_too_short_a_wave_is_refused() -> None:
    with pytest.raises(ValueError, match="400"):
        kaldi_features(torch.zeros(399))
