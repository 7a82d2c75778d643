"""Who may look at whom. True means "may look", as torch's attention has it."""

from __future__ import annotations

import torch
from torch import Tensor


def prefix_mask(text: int, audio: int, device: torch.device) -> Tensor:
    """(T, T) with T = text + audio: text sees all text, audio sees all text and its own past."""
    mask = torch.ones(text + audio, text + audio, dtype=torch.bool, device=device).tril()
    mask[:text, :text] = True
    return mask


def valid(lengths: Tensor, size: int) -> Tensor:
    """(B, size), True on the first `lengths[b]` positions of each row."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def valid_left_padded(lengths: Tensor, size: int) -> Tensor:
    """(B, size), True on the last `lengths[b]` positions of each row."""
    return torch.arange(size, device=lengths.device) >= size - lengths.unsqueeze(1)


def with_padding(mask: Tensor, keys: Tensor) -> Tensor:
    """Mask (T, T) and valid keys (B, T) -> (B, 1, T, T).

    Every row has a phone, and every position sees all phones: no row is left without a key.
    """
    return (mask & keys.unsqueeze(1)).unsqueeze(1)
