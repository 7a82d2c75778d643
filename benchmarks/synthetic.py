"""One fixed batch and fixed weights, rebuilt anywhere from names and shapes alone.

The rule is that of the compat golden vectors: numpy's PCG64 seeded by the crc32 of a name, so
another program can be timed turn by turn on the same numbers.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from torch import Tensor, nn

from sovdeck.engine.training.features import HOP_LENGTH
from sovdeck.engine.training.gpt_data import GptBatch
from sovdeck.engine.training.sovits_data import SovitsBatch

_GAINS = {"enc_p.proj.weight": 0.3, "enc_q.proj.weight": 0.3, "model.ar_predict_layer.weight": 3.0}


def _draw(name: str, salt: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()) + (salt << 32)))


def normal(name: str, *shape: int) -> Tensor:
    """The standard normal float32 input called `name`."""
    values = _draw("input:" + name).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values)


def integers(name: str, shape: tuple[int, ...], low: int, high: int) -> Tensor:
    """The int64 input called `name`, low <= value < high."""
    return torch.from_numpy(_draw("input:" + name).integers(low, high, size=shape))


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """The float32 weight called `name`; its last part and its shape decide the scale."""
    z = _draw(name).standard_normal(shape)
    last = name.rsplit(".", 1)[-1]
    if last == "inited":
        z = np.ones(shape)
    elif last == "cluster_size":
        z = 5.0 + np.abs(z)
    elif last in ("weight_g", "gamma", "alpha") or (last == "weight" and len(shape) == 1):
        z = 1.0 + 0.1 * np.tanh(z)
    elif last in ("beta", "bias", "in_proj_bias"):
        z = 0.05 * z
    elif last in ("emb_rel_k", "emb_rel_v"):
        z = z / math.sqrt(shape[-1])
    elif "embedding" in name:
        z = 0.5 * z
    elif last not in ("embed", "embed_avg", "weight_v"):
        gain = 0.5 if name.startswith("flow.") and ".post." in name else _GAINS.get(name, 1.0)
        z = gain * z / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(np.asarray(z, dtype=np.float32))


@torch.no_grad()
def fill(model: nn.Module, prefix: str = "") -> None:
    """Fill every tensor of a model in place; a GPT's names are seeded with "model."."""
    for name, tensor in model.state_dict().items():
        tensor.copy_(weight(prefix + name, tuple(tensor.shape)))


def sovits_batch(
    clips: int = 4,
    frames: int = 220,
    phones: int = 80,
    ssl: int = 768,
    channels: int = 192,
    speaker_numbers: int = 0,
) -> SovitsBatch:
    """Clips of falling length around `frames`, as a bucket of like lengths gives.

    `speaker_numbers` is how long the speaker vectors of v2Pro are; 0 for v2.
    """
    lengths = torch.tensor([frames - 6 * row for row in range(clips)])
    text_lengths = torch.tensor([phones - 4 * row for row in range(clips)])
    whole = 2 * (frames // 2 + 1)
    mask = (torch.arange(whole) < lengths[:, None])[:, None]
    text_mask = torch.arange(phones) < text_lengths[:, None]
    return SovitsBatch(
        tuple(f"clip{row}" for row in range(clips)),
        (clips, int(lengths.sum())),
        normal("bench_ssl", clips, ssl, whole) * mask,
        normal("bench_spec", clips, 1025, whole).abs() * mask,
        lengths,
        0.1
        * normal("bench_wav", clips, 1, whole * HOP_LENGTH)
        * mask.repeat_interleave(HOP_LENGTH, dim=-1),
        integers("bench_text", (clips, phones), 0, 732) * text_mask,
        text_lengths,
        normal("bench_noise", clips, channels, whole),
        torch.linspace(0.1, 0.9, clips),
        normal("bench_speaker", clips, speaker_numbers).abs() if speaker_numbers else None,
    )


def gpt_batch(
    clips: int = 4, phones: int = 80, tokens: int = 200, bert_dim: int = 1024
) -> GptBatch:
    """Clips of falling length around `tokens`; BERT features as Chinese has them."""
    phone_lengths = torch.tensor([phones - 4 * row for row in range(clips)])
    token_lengths = torch.tensor([tokens - 12 * row for row in range(clips)])
    real = torch.arange(tokens) < token_lengths[:, None]
    text = torch.arange(phones) < phone_lengths[:, None]
    codes = integers("bench_tokens", (clips, tokens), 0, 1024)
    return GptBatch(
        tuple(f"clip{row}" for row in range(clips)),
        (clips, clips * (tokens + 1)),
        integers("bench_phones", (clips, phones), 0, 732) * text,
        phone_lengths,
        torch.where(real, codes, 1024),
        token_lengths,
        0.5 * normal("bench_bert", clips, bert_dim, phones) * text[:, None],
    )
