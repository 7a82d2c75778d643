"""Deterministic weights and inputs: numpy PCG64 seeded by crc32 of a name, plus 2**32 * salt.

The rule is that of compat/golden/README.md, so the same arrays can be rebuilt anywhere from
names and shapes alone, and the figures kept in these tests need no file.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DATA = Path(__file__).resolve().parents[3] / "data"


def arr(name: str, *shape: int, salt: int = 0) -> Tensor:
    return torch.from_numpy(_rng("input:" + name, salt).standard_normal(shape).astype(np.float32))


def ints(name: str, low: int, high: int, *shape: int, salt: int = 0) -> Tensor:
    return torch.from_numpy(_rng("input:" + name, salt).integers(low, high, shape))


def fill(model: torch.nn.Module, salt: int = 0) -> None:
    """Fill a GPT in place; names are seeded with upstream's prefix `model.`."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(torch.from_numpy(_values("model." + name, tuple(tensor.shape), salt)))


def close(ours: Tensor, theirs: np.ndarray) -> bool:
    """Within 2e-5 of the largest reference value, as the golden README asks."""
    difference = np.abs(ours.detach().numpy() - theirs).max()
    return bool(difference <= 2e-5 * np.abs(theirs).max())


def _rng(name: str, salt: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()) + (salt << 32)))


def _values(name: str, shape: tuple[int, ...], salt: int) -> np.ndarray:
    z = _rng(name, salt).standard_normal(shape)
    last = name.rsplit(".", 1)[-1]
    if last == "alpha" or (last == "weight" and len(shape) == 1):
        return 1.0 + 0.1 * np.tanh(z)
    if last in ("bias", "in_proj_bias"):
        return 0.05 * z
    if "embedding" in name:
        return 0.5 * z
    gain = 3.0 if name.endswith("ar_predict_layer.weight") else 1.0
    return gain * z / np.sqrt(z.size // shape[0])
