"""Sampling of one token from logits, in exactly upstream's order (compat SPEC 5.7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. top_p and top_k both apply: top_p first, before the temperature."""

    top_k: int = 15
    top_p: float = 1.0
    temperature: float = 1.0
    repetition_penalty: float = 1.35

    @property
    def divisor(self) -> float:
        """The temperature, kept from zero."""
        return max(self.temperature, 1e-5)


def seen_tokens(history: Tensor, vocab_size: int) -> Tensor:
    """History (B, T) -> (B, V), True for every token that occurs in it."""
    seen = torch.zeros(history.shape[0], vocab_size, dtype=torch.bool, device=history.device)
    return seen.scatter_(1, history, True)


def apply_repetition_penalty(logits: Tensor, seen: Tensor, penalty: float | Tensor) -> Tensor:
    """Make every token of the history less likely, once however often it occurred; (B, V)."""
    lowered = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(seen, lowered, logits)


def filter_logits(logits: Tensor, top_k: int, top_p: float, temperature: float | Tensor) -> Tensor:
    """top_p, then temperature, then top_k; what is removed becomes -inf. (B, V) -> (B, V).

    `logits` are already penalised. The top_p set is the longest run of likeliest tokens whose
    summed probability stays within top_p, but at least one; it does not see the temperature.
    """
    if top_p < 1.0:
        ordered, order = logits.sort(dim=-1, descending=True)
        beyond = ordered.softmax(dim=-1).cumsum(dim=-1) > top_p
        beyond[:, :1].zero_()
        removed = torch.zeros_like(beyond).scatter_(1, order, beyond)
        logits = logits.masked_fill(removed, -torch.inf)
    logits = logits / temperature
    kth = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
    return logits.masked_fill(logits < kth, -torch.inf)


def draw_token(logits: Tensor, noise: Tensor) -> Tensor:
    """One token a row from filtered logits (B, V) -> (B, 1).

    argmax(p / e) with e ~ Exp(1), here `noise` (B, V), is an exact draw from p and needs no host
    round trip.
    """
    return (logits.softmax(dim=-1) / noise).argmax(dim=-1, keepdim=True)
