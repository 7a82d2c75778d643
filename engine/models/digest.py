"""A digest of a model's tensors, by which what another model made is not taken for its own."""

from __future__ import annotations

import hashlib

import torch

# What decides a clip's semantic tokens; fitting a codebook changes it.
QUANTISER_PARTS = ("ssl_proj.", "quantizer.")


def model_digest(model: torch.nn.Module, parts: tuple[str, ...] = ("",)) -> str:
    """A digest of the tensors below `parts`, by name, type and bytes."""
    state = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if not name.startswith(parts):
            continue
        state.update(name.encode())
        state.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return state.hexdigest()[:32]
