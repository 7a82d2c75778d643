"""Gradient checkpointing: keep a block's inputs, run the block again when its gradient is due."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def enable_gradient_checkpointing(block: nn.Module) -> None:
    """Let `block` recompute its activations in the backward pass; results stay the same."""
    original_forward = block.forward

    def forward(*inputs: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return original_forward(*inputs, **options)
        return checkpoint(original_forward, *inputs, use_reentrant=False, **options)

    block.forward = forward
