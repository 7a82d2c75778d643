"""In training the mask of attention is converted once, not in each of the layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sovdeck.engine.models.gpt import masks
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic


class CountedOperations(TorchDispatchMode):
    """Counts what torch carries out, below autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names[func._schema.name.removeprefix("aten::")] += 1
        return func(*args, **(kwargs or {}))


def batch() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    phones = torch.randint(1, 300, (2, 11), generator=generator)
    tokens = torch.randint(0, 1000, (2, 14), generator=generator)
    bert = torch.randn(2, 1024, 11, generator=generator)
    return phones, torch.tensor([11, 7]), tokens, torch.tensor([14, 9]), bert


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
def test_the_mask_is_converted_once_and_means_the_same(
    training: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(layers: int) -> tuple[torch.Tensor, int]:
        torch.manual_seed(0)
        config = replace(GptConfig.tiny(), n_layer=layers)
        model = Text2Semantic(config).train(training)
        with CountedOperations() as counted, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(*batch()).loss
        return loss, counted.names["masked_fill"] + counted.names["masked_fill_"]

    (loss, few), (_, many) = run(2), run(6)
    assert few == many
    if not training:  # where attention can convert it itself
        monkeypatch.setattr(masks, "to_added", lambda mask, dtype: mask)
        assert torch.equal(run(2)[0], loss)


def test_rows_of_the_added_mask_are_aligned() -> None:
    mask = torch.rand(2, 1, 5, 21) > 0.5
    added = masks.to_added(mask, torch.float16)
    assert added.shape == mask.shape and added.stride(-2) == 32 and added.dtype == torch.float16
    assert torch.equal(added == 0, mask) and torch.equal(added.isneginf(), ~mask)
