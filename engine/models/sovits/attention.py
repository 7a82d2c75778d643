"""Relative-position attention encoder of the prior (VITS; Shaw et al., arXiv:1803.02155)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.dropout import Dropout

MASKED = -1e4  # the score of a masked pair; finite, as the weights were trained with it


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        x = F.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, 1e-5)
        return x.transpose(1, 2)


def band_to_square(band: Tensor) -> Tensor:
    """(..., T, 2w+1) by offset -> (..., T, T) by position, zero outside the band.

    Row i holds offsets -w..w. Padding each row by T and reshaping the flat array into rows one
    shorter shifts row i right by i, which puts offset c at column i + c (skewing, as in Music
    Transformer, arXiv:1809.04281).
    """
    *lead, steps, width = band.shape
    flat = F.pad(band, (0, steps)).flatten(-2)[..., : steps * (steps + width - 1)]
    window = width // 2
    return flat.reshape(*lead, steps, steps + width - 1)[..., window : window + steps]


def square_to_band(square: Tensor, window: int) -> Tensor:
    """(..., T, T) by position -> (..., T, 2w+1) by offset; the inverse shift, zero outside."""
    *lead, steps, _ = square.shape
    width = 2 * window + 1
    flat = F.pad(square, (window, window)).flatten(-2)
    return F.pad(flat, (0, steps)).reshape(*lead, steps, steps + width)[..., :width]


class RelativeAttention(nn.Module):
    """Self-attention with learned keys and values for offsets -w..w, shared by the heads."""

    def __init__(self, channels: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        depth = channels // heads
        self.emb_rel_k = nn.Parameter(torch.randn(1, 2 * window + 1, depth) * depth**-0.5)
        self.emb_rel_v = nn.Parameter(torch.randn(1, 2 * window + 1, depth) * depth**-0.5)
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        self.drop = Dropout(dropout)
        for conv in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend: x (B, C, T), boolean mask (B, 1, T) -> (B, C, T), arbitrary where masked."""
        q = self._split(self.conv_q(x)) / math.sqrt(self.emb_rel_k.shape[-1])
        k, v = self._split(self.conv_k(x)), self._split(self.conv_v(x))
        scores = q @ k.transpose(-2, -1)  # (B, nh, T, T)
        scores = scores + band_to_square(q @ self.emb_rel_k.transpose(-2, -1))
        scores = scores.masked_fill(~mask[:, None], MASKED)
        weights = self.drop(scores.softmax(-1))
        out = weights @ v + square_to_band(weights, self.window) @ self.emb_rel_v
        return self.conv_o(out.transpose(-2, -1).flatten(1, 2))

    def _split(self, x: Tensor) -> Tensor:
        """(B, nh * d, T) -> (B, nh, T, d)."""
        return x.unflatten(1, (self.heads, -1)).transpose(-2, -1)


class FeedForward(nn.Module):
    """Two convolutions over time with a ReLU between, (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, hidden: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.padding = ((kernel - 1) // 2, kernel // 2)
        self.conv_1 = nn.Conv1d(channels, hidden, kernel)
        self.conv_2 = nn.Conv1d(hidden, channels, kernel)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) with mask (B, 1, T) -> (B, C, T), zero where masked."""
        x = self.drop(F.relu(self.conv_1(F.pad(x * mask, self.padding))))
        return self.conv_2(F.pad(x * mask, self.padding)) * mask


class Encoder(nn.Module):
    """Post-norm transformer encoder over (B, C, T); position enters by relative terms only."""

    def __init__(
        self,
        channels: int,
        hidden: int,
        heads: int,
        layers: int,
        kernel: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attn_layers = nn.ModuleList(
            RelativeAttention(channels, heads, window, dropout) for _ in range(layers)
        )
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))
        self.ffn_layers = nn.ModuleList(
            FeedForward(channels, hidden, kernel, dropout) for _ in range(layers)
        )
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Encode x (B, C, T) with boolean mask (B, 1, T) -> (B, C, T), zero where masked."""
        x = x * mask
        for attend, norm_1, feed, norm_2 in zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        ):
            x = norm_1(x + self.drop(attend(x, mask)))
            x = norm_2(x + self.drop(feed(x, mask)))
        return x * mask
