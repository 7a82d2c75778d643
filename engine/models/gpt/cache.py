"""Keys and values of the tokens so far, allocated once for a whole generation."""

from __future__ import annotations

import torch
from torch import Tensor


class KVCache:
    """Keys and values side by side: (layers, B, 2, nh, capacity, hs), `length` positions filled.

    Views of all layers are made at once, in `open`: taken layer by layer they cost a token more
    than writing it.
    """

    def __init__(
        self, layers: int, batch: int, heads: int, capacity: int, head_dim: int, like: Tensor
    ) -> None:
        shape = (layers, batch, 2, heads, capacity, head_dim)
        self.store = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.capacity = capacity
        self.length = 0
        self._new: tuple[Tensor, ...] = ()
        self._keys: tuple[Tensor, ...] = ()
        self._values: tuple[Tensor, ...] = ()

    def open(self, count: int) -> None:
        """Make room for `count` more positions in every layer."""
        end = self.length + count
        self._new = self.store[:, :, :, :, self.length : end].unbind(0)
        self._keys = self.store[:, :, 0, :, :end].unbind(0)
        self._values = self.store[:, :, 1, :, :end].unbind(0)
        self.length = end

    def append(self, layer: int, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, 2, nh, T, hs) into the room of this layer; all its keys and values so far,
        each (B, nh, length, hs), as views."""
        self._new[layer].copy_(kv)
        return self._keys[layer], self._values[layer]

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch only; `rows` is an index (B',)."""
        self.store = self.store[:, rows]
