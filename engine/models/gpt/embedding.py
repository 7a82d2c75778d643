"""Token tables and the scaled sine positions added to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sovdeck.engine.models.dropout import Dropout


class TokenEmbedding(nn.Module):
    """A table of `size` rows; no scaling, no dropout (compat SPEC 5.1)."""

    def __init__(self, size: int, hidden_dim: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(size, hidden_dim)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) -> (B, T, C)."""
        embedded: Tensor = self.word_embeddings(ids)
        return embedded


class SinePosition(nn.Module):
    """Adds `alpha * PE[position]`, with one learned alpha; the table itself is not saved."""

    table: Tensor

    def __init__(self, hidden_dim: int, max_positions: int, dropout: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        self.dropout = Dropout(dropout)
        self.register_buffer("table", sine_table(max_positions, hidden_dim), persistent=False)

    def forward(self, x: Tensor, at: Tensor | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C), at positions `at` (T,), or from 0.

        A tensor and no number, so that a captured step reads its position anew.
        """
        rows = self.table[: x.shape[1]] if at is None else self.table.index_select(0, at)
        out: Tensor = self.dropout(x + self.alpha * rows.to(x.dtype))
        return out


def sine_table(positions: int, width: int) -> Tensor:
    """PE[p, 2i] = sin(p / 10000^(2i/width)), PE[p, 2i+1] = cos of the same; (positions, width)."""
    rate = torch.exp(torch.arange(0, width, 2).float() * -(math.log(10000.0) / width))
    angle = torch.arange(positions).float().unsqueeze(1) * rate
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)
