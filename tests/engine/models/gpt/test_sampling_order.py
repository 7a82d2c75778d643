"""Penalty, then top_p, then temperature, then top_k, as upstream has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gpt_fill import DATA, arr, ints

from sovdeck.engine.models.gpt.sampling import (
    Sampling,
    apply_repetition_penalty,
    draw_token,
    filter_logits,
    seen_tokens,
)


def filtered(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    return filter_logits(logits, sampling.top_k, sampling.top_p, sampling.divisor)


def sample_token(logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return draw_token(logits, torch.empty_like(logits).exponential_(generator=generator))


def probabilities(logits: torch.Tensor, history: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    seen = seen_tokens(history, logits.shape[1])
    penalised = apply_repetition_penalty(logits, seen, sampling.repetition_penalty)
    return filtered(penalised, sampling).softmax(-1)


def survivors(logits: torch.Tensor, sampling: Sampling) -> set[int]:
    return set(filtered(logits, sampling).isfinite()[0].nonzero().flatten().tolist())


def test_golden_distributions() -> None:
    golden = np.load(DATA / "golden/gpt_infer.npz")
    logits, history = 3 * arr("samp_logits", 2, 1025), ints("samp_prev", 0, 1025, 2, 40)
    for row, (top_k, top_p, temperature, penalty) in enumerate(golden["samp_settings"]):
        ours = probabilities(logits, history, Sampling(int(top_k), top_p, temperature, penalty))
        np.testing.assert_allclose(ours, golden[f"probs_{row}"], atol=2e-6)


def test_a_token_is_penalised_once_however_often_it_came() -> None:
    logits = torch.tensor([[2.0, -2.0, 1.0]])
    once = apply_repetition_penalty(logits, seen_tokens(torch.tensor([[0, 1]]), 3), 2.0)
    thrice = apply_repetition_penalty(logits, seen_tokens(torch.tensor([[0, 1, 0, 0]]), 3), 2.0)
    assert once.tolist() == thrice.tolist() == [[1.0, -4.0, 1.0]]


def test_top_p_does_not_see_the_temperature() -> None:
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0, 0.0]])
    cold, hot = (Sampling(100, 0.9, t, 1.0) for t in (0.1, 1.5))
    assert survivors(logits, cold) == survivors(logits, hot) == {0, 1}


def test_both_filters_always_apply() -> None:
    logits = torch.arange(10.0).unsqueeze(0) / 10
    assert len(survivors(logits, Sampling(3, 1.0))) == 3
    assert len(survivors(logits, Sampling(100, 0.55))) == 4
    assert len(survivors(logits, Sampling(3, 0.5))) == 3
    assert survivors(logits, Sampling(100, 1e-9)) == {9}


def test_ties_at_the_border_of_top_k_stay() -> None:
    assert survivors(torch.tensor([[1.0, 1.0, 1.0, 0.0]]), Sampling(top_k=2)) == {0, 1, 2}


def test_no_temperature_is_no_division_by_zero() -> None:
    sharp = filtered(torch.tensor([[1.0, 2.0]]), Sampling(temperature=0.0)).softmax(-1)
    assert sharp.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("seed", [1, 2])
def test_draws_follow_the_distribution(seed: int) -> None:
    probs = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits = probs.log().expand(20_000, -1)
    tokens = sample_token(logits, torch.Generator().manual_seed(seed)).flatten()
    share = tokens.bincount(minlength=4) / 20_000
    assert torch.allclose(share, probs, atol=0.015)


def test_what_was_removed_is_never_drawn() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 0.0]]).expand(5_000, -1)
    assert 1 not in sample_token(logits, torch.Generator().manual_seed(0)).flatten().tolist()
