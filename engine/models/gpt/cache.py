"""Keys and values of the tokens so far, allocated once for a whole generation."""

from __future__ import annotations

import torch
from torch import Tensor


class KVCache:
    """`keys` and `values` are (layers, B, nh, capacity, hs); `length` positions are filled."""

    def __init__(
        self, layers: int, batch: int, heads: int, capacity: int, head_dim: int, like: Tensor
    ) -> None:
        shape = (layers, batch, heads, capacity, head_dim)
        self.keys = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.values = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.length = 0

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, nh, T, hs) behind what is there; return all of this layer as views.

        `length` grows only in `advance`, after every layer has written.
        """
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, count: int) -> None:
        self.length += count

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch only; `rows` is an index (B',)."""
        self.keys = self.keys[:, rows]
        self.values = self.values[:, rows]
