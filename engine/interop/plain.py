"""Turning what a file held into plain dicts, lists, numbers, text and tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.interop.standins import Standin

_DEEPEST = 32
_MOST = 1_000_000


def as_plain(value: Any, *, largest: int) -> Any:
    """A copy of `value` in plain types, its tensors in memory of their own.

    Stand-ins become dicts of their attributes, or text where they stood for a path. ValueError
    for other types, nesting beyond reason, and tensors of more bytes than `largest`, the file's
    own size, explains.
    """
    return _Copy(largest).of(value, 0)


class _Copy:
    """One copying pass. It counts, since a small file may refer to its own parts many times."""

    def __init__(self, largest: int) -> None:
        self.entries = _MOST
        # Optimiser states and weights of one file may share a storage, hence the factor.
        self.bytes = 2 * largest
        self.copies: dict[int, Tensor] = {}

    def of(self, value: Any, depth: int) -> Any:
        self.entries -= 1
        if depth > _DEEPEST or self.entries < 0:
            raise ValueError("its entries are nested beyond reason")
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, (list, tuple)):  # torch.Size is a tuple too
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, Standin):
            if value.path:
                return value.path
            value = value.__dict__
        if isinstance(value, dict):
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        raise ValueError(f"it holds a {type(value).__name__}")

    def _tensor(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self.copies:
            if tensor.layout != torch.strided or tensor.device.type != "cpu":
                raise ValueError("it holds a tensor that is not plain memory")
            self.bytes -= tensor.numel() * tensor.element_size()
            if self.bytes < 0:
                raise ValueError("its tensors are larger than the file that holds them")
            self.copies[id(tensor)] = tensor.detach().clone()
        return self.copies[id(tensor)]

    @staticmethod
    def _key(key: Any) -> str | int:
        if isinstance(key, (str, int)):
            return key
        raise ValueError(f"an entry is named by a {type(key).__name__}")
