"""Deterministic weights and inputs from names and shapes alone (the golden vectors' recipe)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DATA = Path(__file__).resolve().parents[3] / "data"


def _draw(name: str, salt: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()) + (salt << 32)))


def normal(name: str, *shape: int, salt: int = 0) -> Tensor:
    """Standard normal float32 input called `name`."""
    values = _draw("input:" + name, salt).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values)


def integers(name: str, shape: Sequence[int], low: int, high: int, salt: int = 0) -> Tensor:
    return torch.from_numpy(_draw("input:" + name, salt).integers(low, high, size=tuple(shape)))


def signal(name: str, samples: int) -> Tensor:
    """(1, N): two sines with a little noise, at 32 kHz."""
    return tones(name, samples, 32000, 0)


def tones(name: str, samples: int, rate: int, salt: int) -> Tensor:
    """(1, N): two sines with a little noise."""
    t = np.arange(samples) / rate
    sines = 0.3 * np.sin(2 * np.pi * 220 * t) + 0.1 * np.sin(2 * np.pi * 3300 * t)
    noise = normal(name, 1, samples, salt=salt).double().numpy()
    return torch.from_numpy((0.05 * noise + sines).astype(np.float32))


_GAINS = {"enc_p.proj.weight": 0.3, "enc_q.proj.weight": 0.3}


def weight(name: str, shape: Sequence[int], salt: int = 0) -> Tensor:
    """The float32 weight called `name`; its last part and its shape decide the scale."""
    z = _draw(name, salt).standard_normal(tuple(shape))
    last = name.rsplit(".", 1)[-1]
    if last == "inited":
        z = np.ones(tuple(shape))
    elif last == "cluster_size":
        z = 5.0 + np.abs(z)
    elif last in ("weight_g", "gamma") or (last == "weight" and len(shape) == 1):
        z = 1.0 + 0.1 * np.tanh(z)
    elif last in ("beta", "bias"):
        z = 0.05 * z
    elif last in ("emb_rel_k", "emb_rel_v"):
        z = z / math.sqrt(shape[-1])
    elif "embedding" in name:
        z = 0.5 * z
    elif last not in ("embed", "embed_avg", "weight_v"):
        gain = 0.5 if name.startswith("flow.") and ".post." in name else _GAINS.get(name, 1.0)
        z = gain * z / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(z.astype(np.float32))


def speaker_weight(name: str, shape: Sequence[int], salt: int) -> Tensor:
    """`weight`, but for the running figures of a batch norm, which stay near 1 and 0."""
    z = _draw(name, salt).standard_normal(tuple(shape))
    if name.endswith("running_var"):
        return torch.from_numpy((1 + 0.1 * np.tanh(z)).astype(np.float32))
    if name.endswith("running_mean"):
        return torch.from_numpy((0.05 * z).astype(np.float32))
    return weight(name, shape, salt)


def fill(state: Mapping[str, Tensor], salt: int = 0) -> None:
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(weight(name, tensor.shape, salt))


def stats(x: Tensor) -> list[float]:
    """count, mean, population deviation, mean |x|, max |x|, first, last; in float64."""
    x = x.detach().double().flatten()
    return [
        float(x.numel()),
        x.mean().item(),
        x.std(correction=0).item(),
        x.abs().mean().item(),
        x.abs().max().item(),
        x[0].item(),
        x[-1].item(),
    ]
