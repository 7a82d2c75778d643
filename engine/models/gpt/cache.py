"""Key-value caches of the GPT: one that grows by the token, and one whose shapes never change."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Cache(Protocol):
    """What attention writes new positions to and reads all positions from."""

    def reserve(self, count: int) -> None:
        """Make room for `count` more positions in every layer, to be written by `append`."""
        ...

    def append(self, layer: int, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, 2, nh, T, hs) into the reserved positions of a layer; all its keys, values."""
        ...

    @property
    def mask(self) -> Tensor | None:
        """(B, 1, 1, T_keys), added to the scores of one query; None where nothing is hidden."""
        ...


def allocate_store(
    layers: int, batch: int, heads: int, capacity: int, head_dim: int, like: Tensor
) -> Tensor:
    """Keys and values side by side: (layers, B, 2, nh, capacity, hs), format and device of `like`.

    Zeros: what is masked must be finite all the same, since 0 * NaN is NaN.
    """
    return like.new_zeros((layers, batch, 2, heads, capacity, head_dim))


class KVCache:
    """A cache that shows the `length` positions filled so far: the quick one on a CPU.

    store: see `allocate_store`. mask: (B, 1, 1, capacity), -inf where a batch has padding; None
    without padding, and attention without a mask is quicker. Views of all layers are made at
    once, in `reserve`: made layer by layer they would take longer than writing a token.
    """

    def __init__(self, store: Tensor, mask: Tensor | None = None) -> None:
        self.store = store
        self.length = 0
        self._mask = mask
        self._reserved: tuple[Tensor, ...] = ()
        self._keys: tuple[Tensor, ...] = ()
        self._values: tuple[Tensor, ...] = ()

    @property
    def mask(self) -> Tensor | None:
        """(B, 1, 1, length), or None."""
        return None if self._mask is None else self._mask[..., : self.length]

    def reserve(self, count: int) -> None:
        """Reserve `count` more positions in every layer, to be written by `append`."""
        end = self.length + count
        self._reserved = self.store[:, :, :, :, self.length : end].unbind(0)
        self._keys = self.store[:, :, 0, :, :end].unbind(0)
        self._values = self.store[:, :, 1, :, :end].unbind(0)
        self.length = end

    def append(self, layer: int, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, 2, nh, T, hs) into the reserved positions of a layer.

        Returns all keys and values of the layer so far, each (B, nh, length, hs), as views.
        """
        self._reserved[layer].copy_(kv)
        return self._keys[layer], self._values[layer]

    def select_rows(self, rows: Tensor) -> None:
        """Keep only these rows of the batch; `rows` is an index (B',)."""
        self.store = self.store[:, rows]
        self._mask = None if self._mask is None else self._mask[rows]


class StaticCache:
    """A cache of fixed shapes and addresses, for a step that is captured once and replayed.

    store: see `allocate_store`, or a view of the first rows and positions of one. mask
    (B, 1, 1, capacity): -inf where a position must not be attended to; every position that was
    not written is hidden by it, since a key of zeros still takes its share of the softmax. slot
    (1,) int64: the position written last. All three are changed in place.
    """

    def __init__(self, store: Tensor, mask: Tensor, slot: Tensor) -> None:
        self.slot = slot
        self.mask: Tensor | None = mask
        self._layers = store.unbind(0)
        self._keys = store[:, :, 0].unbind(0)
        self._values = store[:, :, 1].unbind(0)

    def reserve(self, count: int) -> None:
        """Open the next position to attention; `count` is 1."""
        assert count == 1 and self.mask is not None
        self.slot.add_(1)
        self.mask.index_fill_(3, self.slot, 0.0)

    def append(self, layer: int, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, 2, nh, 1, hs) at the slot; all keys and values, each (B, nh, capacity, hs)."""
        self._layers[layer].index_copy_(3, self.slot, kv.to(self._layers[layer].dtype))
        return self._keys[layer], self._values[layer]
