"""Where v2Pro draws random numbers in training: in the reference encoder, and nowhere else."""

from __future__ import annotations

import pytest
import torch

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.synthesizer import Synthesizer


def test_only_the_reference_encoder_drops_out() -> None:
    torch.manual_seed(3)
    model = Synthesizer(SovitsConfig.tiny_pro()).train()
    mask = torch.ones(1, 1, 40, dtype=torch.bool)
    spec = torch.rand(1, 1025, 40)
    assert not torch.equal(model.ref_enc(spec, mask), model.ref_enc(spec, mask))
    content, phones = torch.randn(1, 32, 40), torch.zeros(1, 5, dtype=torch.long)
    ones = torch.ones(1, 1, 5, dtype=torch.bool)
    timbre = torch.randn(1, 32, 1)
    first, second = (model.enc_p(content, mask, phones, ones, timbre)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_a_missing_or_needless_speaker_vector_is_refused() -> None:
    spec, vector = torch.rand(1, 1025, 40), torch.zeros(1, 1280)
    with pytest.raises(ValueError, match="v2Pro"):
        Synthesizer(SovitsConfig.tiny_pro()).average_timbre([spec])
    with pytest.raises(ValueError, match="v2 network"):
        Synthesizer(SovitsConfig.tiny()).average_timbre([spec], [vector])


def test_several_references_are_averaged_after_the_prelu() -> None:
    model = Synthesizer(SovitsConfig.tiny_pro()).eval()
    specs = [torch.rand(1, 1025, 40), torch.rand(1, 1025, 60)]
    vectors = [torch.randn(1, 1280), torch.randn(1, 1280)]
    with torch.no_grad():
        together = model.average_timbre(specs, vectors)
        each = [model.average_timbre([s], [v]) for s, v in zip(specs, vectors, strict=True)]
    torch.testing.assert_close(together, (each[0] + each[1]) / 2)
