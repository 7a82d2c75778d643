"""Preference training of the GPT against damaged copies of its own targets (compat SPEC 5.4).

No extra data: a rejected row is the real row with one span of tokens repeated or left out,
which is what swallowed and stuttered speech looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sovdeck.engine.models.gpt.masks import right_padded_mask
from sovdeck.engine.models.gpt.text2semantic import GptOutput, Text2Semantic

BETA = 0.2


@dataclass(frozen=True)
class DpoLoss:
    """`total` = `cross_entropy` of the chosen rows (summed) + `preference` (mean over rows).

    `chosen` and `rejected` are the rows' log-probabilities (B,).
    """

    total: Tensor
    cross_entropy: Tensor
    preference: Tensor
    chosen: Tensor
    rejected: Tensor


def make_rejected(
    tokens: Tensor,
    lengths: Tensor,
    *,
    upstream: bool = False,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Damage each row of tokens (B, S): repeat or drop one span -> ((B, S'), lengths (B,)).

    Rows are padded with 0. By default the span lies inside the real row and is never empty,
    and at least one token remains. `upstream=True` cuts anywhere in the *padded* row, may cut
    nothing, and counts the padding into the new length, with upstream's order of draws.
    """
    rows = []
    for row, length in zip(tokens, lengths.tolist(), strict=True):
        n = len(row) if upstream else length
        repeat = int(torch.randint(0, 2, (1,), generator=generator)) == 0
        repeat |= n == 1 and not upstream  # without its one token nothing would be left
        if upstream:
            a, b = torch.randint(0, n, (2,), generator=generator).sort().values.tolist()
        else:
            a, b = _random_span(n, repeat, generator)
        y = row[:n]
        rows.append(torch.cat((y[:b], y[a:b], y[b:]) if repeat else (y[:a], y[b:])))
    new_lengths = torch.tensor([len(row) for row in rows], device=tokens.device)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), new_lengths


def _random_span(n: int, repeat: bool, generator: torch.Generator | None) -> tuple[int, int]:
    """A span 0 <= a < b <= n; a dropped one leaves at least one token."""
    first = int(torch.randint(0, n, (1,), generator=generator))
    longest = n - first if repeat or first > 0 else n - 1
    return first, first + 1 + int(torch.randint(0, longest, (1,), generator=generator))


def row_log_prob(output: GptOutput, lengths: Tensor | None = None) -> Tensor:
    """Log-probability of each row's targets (B,): up to its first EOS, or all with None."""
    logp = F.log_softmax(output.logits, dim=-1)
    token_log_probs = logp.gather(2, output.targets.unsqueeze(-1)).squeeze(-1)  # (B, S + 1)
    if lengths is not None:
        token_log_probs = token_log_probs * right_padded_mask(lengths + 1, token_log_probs.shape[1])
    return token_log_probs.sum(dim=-1)


def dpo_loss(
    model: Text2Semantic,
    phones: Tensor,
    phone_lengths: Tensor,
    tokens: Tensor,
    token_lengths: Tensor,
    bert: Tensor,
    rejected: tuple[Tensor, Tensor],
    *,
    beta: float = BETA,
    upstream: bool = False,
) -> tuple[DpoLoss, GptOutput]:
    """CE(chosen) + mean(-log sigmoid(beta * (log p(chosen) - log p(rejected)))), reference-free.

    Batch as in `Text2Semantic.forward`; `rejected` comes from `reject`. `upstream=True` uses
    upstream's mask and counts the EOS targets of the padding. Also returns the chosen pass.
    """
    text = (phones, phone_lengths)
    chosen_output = model(*text, tokens, token_lengths, bert, upstream_mask=upstream)
    rejected_output = model(*text, *rejected, bert, upstream_mask=upstream)
    chosen_log_prob = row_log_prob(chosen_output, None if upstream else token_lengths)
    rejected_log_prob = row_log_prob(rejected_output, None if upstream else rejected[1])
    preference = -F.logsigmoid(beta * (chosen_log_prob - rejected_log_prob)).mean()
    return DpoLoss(
        chosen_output.loss + preference,
        chosen_output.loss,
        preference,
        chosen_log_prob,
        rejected_log_prob,
    ), chosen_output
