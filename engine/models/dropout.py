"""Dropout with cheap random numbers on a CPU; elsewhere it is torch's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_LEVELS = 1 << 16  # values of the sixteen random bits a number gets


class Dropout(nn.Dropout):
    """`nn.Dropout` that draws sixteen random bits a number instead of a float.

    The fraction kept is a multiple of 1/65536, and what is kept is scaled by exactly that.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, same shape."""
        return apply_dropout(x, self.p) if self.training else x


def apply_dropout(x: Tensor, p: float) -> Tensor:
    """Zero each number of `x` with probability `p` and scale the others, as in training."""
    kept_levels = round((1 - p) * _LEVELS)
    if (
        x.device.type != "cpu" or not 0 < kept_levels < _LEVELS
    ):  # or a fraction sixteen bits cannot hold
        return nn.functional.dropout(x, p)
    out: Tensor = _DropoutFunction.apply(x, kept_levels)
    return out


class _DropoutFunction(torch.autograd.Function):
    """x * keep / share, with one byte a number saved for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept_levels: int) -> Tensor:
        # Four numbers' worth of bits at a time; all 64 bits only come with this lower end.
        random_words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64)
        random_words.random_(torch.iinfo(torch.int64).min, None)
        bits = random_words.view(torch.int16)[: x.numel()].view(x.shape)
        # As numbers: multiplying by a boolean goes through a slower conversion.
        keep = (bits < kept_levels - _LEVELS // 2).view(torch.uint8)
        ctx.save_for_backward(keep)
        ctx.scale = _LEVELS / kept_levels
        return (x * keep).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return (gradients[0] * keep).mul_(ctx.scale), None
