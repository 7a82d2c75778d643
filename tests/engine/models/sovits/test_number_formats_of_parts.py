"""What stays exact inside mixed precision: the tokens, the features they come from, the wave."""

from __future__ import annotations

import pytest
import torch
from micro_models import SOVITS

from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.weight_norm import fold_weight_norm


def tf32_inside(module: torch.nn.Module) -> list[bool]:
    """Whether cuDNN may use TF32, noted each time `module` runs."""
    seen: list[bool] = []
    module.register_forward_pre_hook(lambda *_: seen.append(bool(torch.backends.cudnn.allow_tf32)))
    return seen


def test_tokens_and_their_features_are_computed_without_tf32() -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SOVITS).eval()
    encoder = ContentEncoder.untrained(hidden=SOVITS.ssl_dim)
    seen = tf32_inside(synthesizer.ssl_proj), tf32_inside(encoder.model.feature_extractor)
    features = encoder.features(torch.randn(1, 6400))
    synthesizer.extract_tokens(features)
    assert seen == ([False], [False])
    assert torch.backends.cudnn.allow_tf32


def test_the_wave_is_float32_where_the_blocks_are_bf16() -> None:
    torch.manual_seed(0)
    decoder = Synthesizer(SOVITS).dec.eval()
    z, timbre = torch.randn(1, SOVITS.inter_channels, 4), torch.randn(1, SOVITS.gin_channels, 1)
    formats: list[torch.dtype] = []
    decoder.resblocks[0].register_forward_hook(lambda _, __, out: formats.append(out.dtype))
    decoder.conv_post.register_forward_hook(lambda _, __, out: formats.append(out.dtype))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        wave = decoder(z, timbre)
    assert formats == [torch.bfloat16, torch.float32] and wave.dtype is torch.float32


def test_folded_weight_norm_is_computed_once_and_decodes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    model = Synthesizer(SOVITS).eval()
    z, timbre = torch.randn(1, SOVITS.inter_channels, 4), torch.randn(1, SOVITS.gin_channels, 1)
    keys = set(model.state_dict())
    with torch.inference_mode():
        plain = model.dec(z, timbre)
    fold_weight_norm(model.dec)
    monkeypatch.setattr(torch, "_weight_norm", None)  # whoever computes it now fails
    with torch.inference_mode():
        assert torch.equal(model.dec(z, timbre), plain)
    assert set(model.state_dict()) == keys
