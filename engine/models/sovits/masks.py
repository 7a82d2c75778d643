"""Masks and slices over time, free of host synchronisation."""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """(B,) valid frame counts -> (B, 1, frames) boolean, True on valid frames."""
    steps = torch.arange(frames, device=lengths.device)
    return (steps < lengths[:, None])[:, None]


def slice_starts(lengths: Tensor, uniform: Tensor, frames: int) -> Tensor:
    """First frame (B,) of a random slice: `floor(u * (length - frames + 1))`, u in [0, 1)."""
    return (uniform * (lengths - frames + 1).clamp(min=1)).long()


def take_slices(x: Tensor, starts: Tensor, length: int) -> Tensor:
    """(B, C, T) and starts (B,) -> (B, C, length): every item's own window."""
    steps = starts[:, None] + torch.arange(length, device=x.device)
    return x.gather(2, steps[:, None].expand(-1, x.shape[1], -1))
