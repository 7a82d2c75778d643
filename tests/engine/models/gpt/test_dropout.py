"""Cheap random draws: as many zeros as asked for, an unmoved mean, and torch's own gradient."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F

from sovdeck.engine.models.dropout import Dropout, apply_dropout
from sovdeck.engine.models.gpt.masks import to_added
from sovdeck.engine.models.gpt.transformer import softmax_attention


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_and_the_mean_are_kept(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    x = torch.ones(301, 1003, dtype=dtype)
    out = apply_dropout(x, p)
    assert out.shape == x.shape and out.dtype == dtype
    zeros = (out == 0).float()
    assert zeros.mean().item() == pytest.approx(p, abs=0.005)
    assert out.float().mean().item() == pytest.approx(1.0, abs=0.01)
    # Four numbers share a draw: each of the four places falls as often, and on its own.
    places = zeros.flatten()[: 301 * 1003 // 4 * 4].view(-1, 4)
    assert places.mean(0).tolist() == pytest.approx([p] * 4, abs=0.01)
    assert torch.corrcoef(places.T).fill_diagonal_(0).abs().max() < 0.02


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_masks_of_several_steps_are_binomial(p: float) -> None:
    """Five deviations either way, and as many draws alike between steps as chance makes so."""
    module, x = Dropout(p).train(), torch.ones(64, 17, 93)  # no multiple of four numbers
    kept = round((1 - p) * 65536) / 65536
    n = x.numel()
    torch.manual_seed(11)
    steps = [module(x) for _ in range(6)]
    for out in steps:
        assert abs((out != 0).sum() - n * kept) < 5 * (n * kept * (1 - kept)) ** 0.5
        assert out.unique().tolist() == pytest.approx([0.0, 1 / kept])
    # The expectation is what went in: the scale is one over the share, not over 1 - p.
    mean = torch.stack(steps).double().mean()
    assert abs(mean - 1) < 5 * ((1 - kept) / kept / (n * len(steps))) ** 0.5
    alike = kept**2 + (1 - kept) ** 2
    for one, other in combinations(steps, 2):
        assert not torch.equal(one, other)
        same = ((one != 0) == (other != 0)).sum()
        assert abs(same - n * alike) < 5 * (n * alike * (1 - alike)) ** 0.5
    torch.manual_seed(11)
    assert all(torch.equal(module(x), out) for out in steps)
    torch.manual_seed(12)
    assert not torch.equal(module(x), steps[0])


@pytest.mark.parametrize("p", [1e-6, 7e-6, 1 - 1e-6], ids=["least", "rounded", "nearly-all"])
def test_shares_that_sixteen_bits_cannot_hold_are_torchs(p: float) -> None:
    torch.manual_seed(5)
    out = apply_dropout(torch.ones(4000), p)
    torch.manual_seed(5)
    assert torch.equal(out, F.dropout(torch.ones(4000), p))
    assert (out != 0).float().mean().item() == pytest.approx(1 - p, abs=0.002)


def test_gradients_follow_what_was_kept() -> None:
    x = torch.randn(7, 11, requires_grad=True)
    out = apply_dropout(x, 0.3)
    out.sum().backward()
    scale = 65536 / round(0.7 * 65536)
    assert x.grad is not None
    assert torch.equal(x.grad != 0, out != 0)
    assert x.grad.unique().tolist() == pytest.approx([0.0, scale])


def test_seeds_repeat_and_evaluation_drops_nothing() -> None:
    module, x = Dropout(0.4), torch.randn(5, 9)
    results = []
    for _ in range(2):
        torch.manual_seed(8)
        results.append(module(x))
    assert torch.equal(*results) and (results[0] == 0).any()
    assert module.eval()(x) is x
    assert torch.equal(apply_dropout(x, 0.0), x)


def test_attention_with_dropout_is_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the draws do, the own formulation gives torch's numbers and gradients."""
    monkeypatch.setattr("sovdeck.engine.models.gpt.transformer.apply_dropout", lambda x, p: x)
    torch.manual_seed(1)
    mask = torch.rand(2, 1, 13, 13) < 0.6
    mask[..., 0] = True
    results = []
    for attend in (
        softmax_attention,
        lambda q, k, v, _, p: F.scaled_dot_product_attention(q, k, v, mask),
    ):
        torch.manual_seed(2)
        q, k, v = (torch.randn(2, 3, 13, 8, requires_grad=True) for _ in range(3))
        out = attend(q, k, v, to_added(mask, torch.float32), 0.1)
        (out * torch.linspace(-1, 1, 8)).sum().backward()
        results.append((out.detach(), q.grad, k.grad, v.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_the_mean_over_dropout_is_attention_without() -> None:
    torch.manual_seed(4)
    q, k, v = (torch.randn(1, 2, 6, 4) for _ in range(3))
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    many = torch.stack(
        [softmax_attention(q, k, v, to_added(mask, torch.float32), 0.2) for _ in range(3000)]
    ).mean(0)
    plain = F.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(many, plain, rtol=0.05, atol=0.05)
