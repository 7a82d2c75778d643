"""Gradient checkpointing: keep a block's inputs, run the block again when its gradient is due."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module) -> None:
    """Make `block` forget its activations. Names, weights and results stay the same."""
    plain = block.forward

    def forward(*inputs: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return plain(*inputs, **options)
        return checkpoint(plain, *inputs, use_reentrant=False, **options)

    block.forward = forward
