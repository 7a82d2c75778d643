"""Convolutions whose weight is stored as length and direction: `weight_g` and `weight_v`.

The effective weight is `g * v / ||v||`, the norm taken over all dimensions but the first (for a
transposed convolution the first one is its input). These two names, in the order bias, g, v,
are what GPT-SoVITS files hold; torch's own parametrisation stores others.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _split_weight(conv: Any) -> None:
    """Replace the parameter `weight` (C0, ...) by `weight_g` (C0, 1, ...) and `weight_v`."""
    weight = conv.weight.detach()
    del conv.weight
    length = weight.flatten(1).norm(dim=1).reshape(-1, *[1] * (weight.dim() - 1))
    conv.weight_g = nn.Parameter(length)
    conv.weight_v = nn.Parameter(weight)
    conv.register_buffer("folded", None, persistent=False)  # see `fold_weight_norm`


def effective_weight(conv: Any) -> Tensor:
    """`g * v / ||v||`, one fused kernel (the one torch.nn.utils.weight_norm calls)."""
    if conv.folded is not None:
        kept: Tensor = conv.folded
        return kept
    return torch._weight_norm(conv.weight_v, conv.weight_g, 0)


@torch.no_grad()
def fold_weight_norm(model: nn.Module) -> None:
    """Compute the effective weight of every convolution in `model` once, in place and in float32.

    For decoding on a GPU, which would launch a kernel for each of them at every sentence. The
    model can neither be trained nor saved afterwards.
    """
    for module in model.modules():
        if isinstance(module, (NormConv1d, NormConv2d, NormConvTranspose1d)):
            module.folded = effective_weight(module).detach()


class NormConv1d(nn.Conv1d):
    """`nn.Conv1d` (B, C, T) -> (B, H, T') with a weight-normed kernel."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _split_weight(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, H, T')."""
        return self._conv_forward(x, effective_weight(self), self.bias)


class NormConv2d(nn.Conv2d):
    """`nn.Conv2d` (B, C, H, W) -> (B, C', H', W') with a weight-normed kernel."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _split_weight(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        return self._conv_forward(x, effective_weight(self), self.bias)


class NormConvTranspose1d(nn.ConvTranspose1d):
    """`nn.ConvTranspose1d` (B, C, T) -> (B, H, T * stride) with a weight-normed kernel."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _split_weight(self)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # no output_size here
        """(B, C, T) -> (B, H, T * stride)."""
        weight, padding = effective_weight(self), self.padding
        return F.conv_transpose1d(x, weight, self.bias, self.stride, padding)  # type: ignore[arg-type]
