"""Rejected rows: one span repeated or dropped, inside the real row."""

from __future__ import annotations

import pytest
import torch
from gpt_fill import arr, ints
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.training.dpo import dpo_loss, make_rejected, row_log_prob


def is_damaged(row: list[int], damaged: list[int]) -> bool:
    """True when `damaged` is `row` with one span repeated or dropped."""
    n = len(row)
    spans = [(a, b) for a in range(n) for b in range(a + 1, n + 1)]
    return any(damaged in (row[:b] + row[a:b] + row[b:], row[:a] + row[b:]) for a, b in spans)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 2**31))
def test_every_row_is_damaged_and_no_padding_enters(lengths: list[int], seed: int) -> None:
    size = max(lengths)
    tokens = torch.full((len(lengths), size), 1024)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.arange(length) + 100 * row
    generator = torch.Generator().manual_seed(seed)
    damaged, new_lengths = make_rejected(tokens, torch.tensor(lengths), generator=generator)
    for row, length in enumerate(lengths):
        real = tokens[row, :length].tolist()
        new = damaged[row, : new_lengths[row]].tolist()
        assert 1024 not in new
        assert is_damaged(real, new)
        assert new


def test_both_kinds_of_damage_occur() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens, lengths = torch.arange(10).expand(200, -1), torch.full((200,), 10)
    new = make_rejected(tokens, lengths, generator=generator)[1]
    assert 60 < (new > 10).sum() < 140
    assert 60 < (new < 10).sum() < 140


@pytest.mark.parametrize("upstream", [True, False])
def test_the_loss_prefers_the_real_row(tiny: Text2Semantic, upstream: bool) -> None:
    batch = (
        ints("x", 0, 732, 2, 6),
        torch.tensor([6, 4]),
        ints("y", 0, 1024, 2, 20),
        torch.tensor([20, 12]),
        arr("bert", 2, 1024, 6),
    )
    rejected = make_rejected(batch[2], batch[3], generator=torch.Generator().manual_seed(3))
    loss, output = dpo_loss(tiny, *batch, rejected, upstream=upstream)
    loss.preference.backward()
    gradients = [p.grad for p in tiny.parameters()]
    tiny.zero_grad(set_to_none=True)
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)
    margin = 0.2 * (loss.chosen - loss.rejected)
    expected = torch.nn.functional.softplus(-margin).mean()
    torch.testing.assert_close(loss.preference, expected)
    torch.testing.assert_close(loss.total, output.loss + loss.preference)


def test_padding_counts_only_upstream(tiny: Text2Semantic) -> None:
    batch = (
        ints("x", 0, 732, 2, 6),
        torch.tensor([6, 6]),
        ints("y", 0, 1024, 2, 20),
        torch.tensor([20, 12]),
        arr("bert", 2, 1024, 6),
    )
    with torch.no_grad():
        output = tiny(*batch)
        alone = tiny(
            *(part[1:] for part in batch[:2]), batch[2][1:, :12], batch[3][1:], batch[4][1:]
        )
    assert row_log_prob(output).sum().item() == pytest.approx(-output.loss.item(), rel=1e-5)
    real = row_log_prob(output, batch[3])
    assert real[1].item() == pytest.approx(-alone.loss.item(), rel=1e-4)
    assert real[1] > row_log_prob(output)[1]
