"""The packed decoder says what the plain one says, in either number format and any length."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from sovits_fill import fill, integers, normal

from sovdeck.engine.models.onednn_support import has_onednn_kernels
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.cpu_decoder import (
    PackedDecoder,
    decode_in_windows,
    pack_decoder,
)
from sovdeck.engine.models.sovits.synthesizer import Synthesizer

FORMATS = {"fp32": (torch.float32, 2e-6), "bf16": (torch.bfloat16, 0.03)}


# v2ProPlus differs from v2 in the first kernel and in what its width is divided by.
CONFIGS = {
    "v2": SovitsConfig.tiny(),
    "v2ProPlus": replace(
        SovitsConfig.tiny_pro(),
        upsample_initial_channel=96,
        upsample_kernel_sizes=SovitsConfig.of("v2ProPlus").upsample_kernel_sizes,
    ),
}


@pytest.fixture(scope="module", params=CONFIGS)
def small(request: pytest.FixtureRequest) -> Synthesizer:
    model = Synthesizer(CONFIGS[request.param]).eval()
    fill(model.state_dict())
    return model


def needs(dtype: torch.dtype) -> None:
    if not has_onednn_kernels(dtype):
        pytest.skip(f"no kernels for {dtype} on this processor")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("frames", [1, 7, 50, 130])
@torch.inference_mode()
def test_the_wave_is_the_same(small: Synthesizer, name: str, frames: int) -> None:
    dtype, most = FORMATS[name]
    needs(dtype)
    config = small.config
    z = normal("packed_z", 1, config.inter_channels, frames)
    timbre = normal("packed_g", 1, config.gin_channels, 1)
    before = z.clone()
    plain = small.dec(z, timbre)
    packed = PackedDecoder(small.dec, dtype)(z, timbre)
    assert packed.shape == plain.shape and packed.dtype == torch.float32
    assert (packed - plain).norm() / plain.norm() <= most
    assert torch.equal(z, before)


@pytest.mark.parametrize(("frames", "size"), [(44, 44), (60, 44), (61, 61), (139, 61), (96, 44)])
@torch.inference_mode()
def test_windows_are_heard_as_one(small: Synthesizer, frames: int, size: int) -> None:
    decoder, config = small.dec, small.config
    z = normal("packed_z", 1, config.inter_channels, frames)
    timbre = normal("packed_g", 1, config.gin_channels, 1)
    seen: list[int] = []

    def decode(part: torch.Tensor) -> torch.Tensor:
        seen.append(part.shape[-1])
        return decoder(part, timbre)

    pieced = decode_in_windows(decode, z, size, decoder.receptive_frames)
    assert set(seen) == {size}, "one shape, whatever the length"
    whole = decoder(z, timbre)
    assert pieced.shape == whole.shape
    assert (pieced - whole).abs().max() <= 2e-6 * whole.abs().max()


@torch.inference_mode()
def test_no_frame_is_heard_further_than_it_reaches(small: Synthesizer) -> None:
    decoder, config = small.dec, small.config
    z = normal("packed_z", 1, config.inter_channels, 60)
    timbre = normal("packed_g", 1, config.gin_channels, 1)
    other = z.clone()
    other[:, :, 30] += 1.0
    changed = (decoder(z, timbre) - decoder(other, timbre)).abs()[0, 0]
    frames = changed.reshape(60, -1).amax(1).nonzero().flatten()
    far = int((frames - 30).abs().max())
    assert far <= decoder.receptive_frames <= far + 4


@pytest.mark.parametrize("name", FORMATS)
def test_full_size_decoding_in_its_place(generator: Synthesizer, name: str) -> None:
    dtype, most = FORMATS[name]
    needs(dtype)
    codes, text = integers("decode_codes", (1, 1, 6), 0, 1024), integers("dt", (1, 5), 0, 732)
    given = (codes, text, [normal("packed_ref", 1, 1025, 40).abs()])
    plain = generator.decode(*given, noise=normal("packed_noise", 1, 192, 12))
    model = copy.deepcopy(generator)
    assert pack_decoder(model, dtype)
    wav = model.decode(*given, noise=normal("packed_noise", 1, 192, 12))
    assert (wav - plain).norm() / plain.norm() <= most


def test_without_the_kernels_nothing_is_changed(
    small: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sovdeck.engine.models.sovits.cpu_decoder.has_onednn_kernels", lambda dtype: False
    )
    decoder = small.dec
    assert not pack_decoder(small, torch.float32) and small.dec is decoder


@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_other_processors_keep_torchs_own_operators(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert not has_onednn_kernels(torch.float32) and not has_onednn_kernels(torch.bfloat16)
