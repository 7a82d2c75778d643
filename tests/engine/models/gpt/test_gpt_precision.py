"""Fewer bits: close to full precision, and the same rules of generation."""

from __future__ import annotations

import copy

import pytest
import torch
from gpt_fill import arr, ints

from sovdeck.engine.models.gpt.cpu_weights import Float16Linear, Int8Linear, set_precision
from sovdeck.engine.models.gpt.generate import (
    allocate_cache,
    embed_left_padded,
    generate,
    prefill,
)
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.step import decode_token
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.gpt.transformer import Projection


@torch.inference_mode()
def logits_of(model: Text2Semantic) -> torch.Tensor:
    """(30, V): teacher-forced through prefill and decode."""
    x, keys = embed_left_padded(model, [ints("x", 0, 732, 9)], [0.5 * arr("bert", 1024, 9)])
    tokens = ints("y", 0, 1024, 1, 30)
    cache = allocate_cache(model, x, x.shape[1] + 30)
    logits = prefill(model, x, keys, tokens[:, :1], cache)
    found = [logits]
    for step in range(1, 30):
        found.append(decode_token(model, tokens[:, step, None], torch.tensor([step]), cache))
    return torch.cat(found)


def stored(model: Text2Semantic) -> Text2Semantic:
    """A copy with weights as files hold them: float16 values."""
    return copy.deepcopy(model).half().float()


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-5), ("bf16", 0.03), ("int8", 0.05)])
def test_logits_stay_close(tiny: Text2Semantic, precision: str, most: float) -> None:
    tiny = stored(tiny)
    full = logits_of(tiny)
    low = logits_of(set_precision(copy.deepcopy(tiny), precision))
    assert low.dtype == torch.float32
    error = ((low - full).norm() / full.norm()).item()
    assert error <= most and (precision == "fp32" or error > 0)


def test_full_precision_reads_half_the_bytes_only_where_nothing_is_lost(
    tiny: Text2Semantic, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.backends.quantized.engine not in ("x86", "fbgemm"):
        pytest.skip("no float16 kernel on this processor")
    packed = set_precision(stored(tiny), "fp32")
    assert isinstance(packed.h.layers[0].linear1, Float16Linear)
    finer = stored(tiny)
    with torch.no_grad():
        finer.h.layers[-1].linear2.weight[0, 0] = 1 / 3
    assert isinstance(set_precision(finer, "fp32").h.layers[0].linear1, Projection)
    monkeypatch.setattr("sovdeck.engine.models.gpt.cpu_weights._FLOAT16_ENGINES", ())
    assert isinstance(set_precision(stored(tiny), "fp32").h.layers[0].linear1, Projection)


def test_full_precision_draws_the_same_tokens(tiny: Text2Semantic) -> None:
    said = [
        generate(
            model,
            ints("x", 0, 732, 9),
            arr("bert", 1024, 9),
            ints("p", 0, 1024, 5),
            sampling=Sampling(),
            generator=torch.Generator().manual_seed(3),
            max_tokens=60,
        ).tolist()
        for model in (stored(tiny), set_precision(stored(tiny), "fp32"))
    ]
    assert said[0] == said[1] and len(said[0]) > 10


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_a_lowered_model_speaks(tiny: Text2Semantic, precision: str) -> None:
    model = set_precision(copy.deepcopy(tiny), precision)
    tokens = generate(
        model,
        ints("x", 0, 732, 9),
        arr("bert", 1024, 9),
        ints("p", 0, 1024, 5),
        sampling=Sampling(top_k=1),
        max_tokens=20,
    )
    assert len(tokens) == 20


def test_int8_is_within_half_a_step_of_each_weight() -> None:
    weight, bias = arr("w", 64, 128), arr("b", 64)
    layer = Int8Linear(weight, torch.zeros_like(bias))
    step = weight.abs().amax(1, keepdim=True) / 127
    restored = layer(torch.eye(128)).T  # 1.0 and 0.0 survive the rounding of activations
    assert ((restored - weight).abs() <= 0.5 * step + 0.02 * weight.abs() + 1e-6).all()
    zeros = Int8Linear(torch.zeros(4, 32), torch.ones(4))
    assert zeros(torch.ones(1, 1, 32)).tolist() == [[[1.0] * 4]]


def test_an_unknown_precision_is_an_error(tiny: Text2Semantic) -> None:
    with pytest.raises(KeyError):
        set_precision(tiny, "fp8")


def test_one_token_takes_the_quick_way_to_the_same_place() -> None:
    layer = Projection(64, 32)
    x = arr("x", 3, 1, 64)
    with torch.no_grad():
        quick = layer(x)
    torch.testing.assert_close(quick, layer(x))
    assert layer(x).requires_grad
