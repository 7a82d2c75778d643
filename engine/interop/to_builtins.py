"""Conversion of unpickled content to dicts, lists, numbers, text and tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.interop.pickle_stubs import PickleStub

_MAX_DEPTH = 32
_MAX_ENTRIES = 1_000_000


def to_builtins(value: Any, *, max_bytes: int) -> Any:
    """A copy of `value` in builtin types, its tensors in memory of their own.

    Stubs become dicts of their attributes, or text where they replaced a path. ValueError for
    other types, too deep nesting, and tensors of more bytes than `max_bytes`, the size of the
    file, can hold.
    """
    return _BuiltinsCopier(max_bytes).copy(value, 0)


class _BuiltinsCopier:
    """One copy with limits, since a small file may refer to its own parts many times."""

    def __init__(self, max_bytes: int) -> None:
        self.entries_left = _MAX_ENTRIES
        # Optimiser states and weights of one file may share a storage, hence the factor.
        self.bytes_left = 2 * max_bytes
        self.copies: dict[int, Tensor] = {}

    def copy(self, value: Any, depth: int) -> Any:
        self.entries_left -= 1
        if depth > _MAX_DEPTH or self.entries_left < 0:
            raise ValueError("its entries are nested beyond reason")
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        if isinstance(value, Tensor):
            return self._copy_tensor(value)
        if isinstance(value, (list, tuple)):  # torch.Size is a tuple too
            return [self.copy(item, depth + 1) for item in value]
        if isinstance(value, PickleStub):
            if value.path:
                return value.path
            value = value.__dict__
        if isinstance(value, dict):
            return {self._check_key(key): self.copy(item, depth + 1) for key, item in value.items()}
        raise ValueError(f"it holds a {type(value).__name__}")

    def _copy_tensor(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self.copies:
            if tensor.layout != torch.strided or tensor.device.type != "cpu":
                raise ValueError("it holds a tensor that is not plain memory")
            self.bytes_left -= tensor.numel() * tensor.element_size()
            if self.bytes_left < 0:
                raise ValueError("its tensors are larger than the file that holds them")
            self.copies[id(tensor)] = tensor.detach().clone()
        return self.copies[id(tensor)]

    @staticmethod
    def _check_key(key: Any) -> str | int:
        if isinstance(key, (str, int)):
            return key
        raise ValueError(f"an entry is named by a {type(key).__name__}")
