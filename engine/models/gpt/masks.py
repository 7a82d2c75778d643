"""Attention masks. True means that a position is attended to, as in torch."""

from __future__ import annotations

import torch
from torch import Tensor

_ALIGNMENT = 16  # numbers; see torch's sdp_utils


def prefix_mask(text: int, audio: int, device: torch.device) -> Tensor:
    """(T, T), T = text + audio: text attends to all text, audio to all text and its own past."""
    mask = torch.ones(text + audio, text + audio, dtype=torch.bool, device=device).tril()
    mask[:text, :text] = True
    return mask


def right_padded_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, size), True on the first `lengths[b]` positions of each row."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def left_padded_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, size), True on the last `lengths[b]` positions of each row."""
    return torch.arange(size, device=lengths.device) >= size - lengths.unsqueeze(1)


def with_padding(mask: Tensor, keys: Tensor) -> Tensor:
    """Mask (T, T) and valid keys (B, T) -> (B, 1, T, T).

    Every row has a phone, and every position attends to all phones: no row is without a key.
    """
    return (mask & keys.unsqueeze(1)).unsqueeze(1)


def to_added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask (..., T) as what is added to scores of `dtype`: -inf where it is False.

    Attention would convert a boolean one anew in each layer. Rows lie _ALIGNMENT numbers apart, or
    a multiple, since kernels for GPUs would otherwise copy it in each layer to have them so.
    """
    width = mask.shape[-1]
    stride = -(-width // _ALIGNMENT) * _ALIGNMENT
    added = torch.zeros((*mask.shape[:-1], stride), dtype=dtype, device=mask.device)
    return added[..., :width].masked_fill_(~mask, -torch.inf)


def hide(added: Tensor, keys: Tensor) -> None:
    """Hide padding in a mask that is added to scores, in place.

    `added` (B, 1, 1, capacity), of which the first L positions stand for `keys` (B, L).
    """
    added[..., : keys.shape[1]].masked_fill_(~keys[:, None, None], -torch.inf)
