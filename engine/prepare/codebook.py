"""A codebook for a run from nothing: k-means over the voice's own content features.

A random codebook sends nearly every frame to a handful of codes; tokens then say nothing and
the GPT has nothing to learn. Pretrained weights never need this.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

_ITERATIONS = 10
_MAX_FRAMES = 20000  # more frames add time, not better centres
_CHUNK = 4096


@torch.no_grad()
def fit_codebook(
    synthesizer: torch.nn.Module, features: Iterable[torch.Tensor], seed: int
) -> float:
    """Fill the quantiser of `synthesizer` from `features`, each (1, H, T) at 50 Hz, in place.

    Lloyd's k-means with random starting frames. Returns the fraction of codes in use. The
    result depends only on the synthesizer, the features in order and `seed`.
    """
    parameter = next(synthesizer.parameters())
    device_and_dtype = {"device": parameter.device, "dtype": parameter.dtype}
    frames = torch.cat(
        [synthesizer.ssl_proj(ssl.to(**device_and_dtype)).squeeze(0).T.float() for ssl in features]
    )
    generator = torch.Generator().manual_seed(seed)
    if len(frames) > _MAX_FRAMES:
        chosen = torch.randperm(len(frames), generator=generator)[:_MAX_FRAMES]
        frames = frames[chosen.to(frames.device)]
    quantiser = synthesizer.quantizer.vq.layers[0]._codebook
    centres, counts = _k_means(frames, quantiser.embed.shape[0], generator)
    quantiser.embed.copy_(centres)
    quantiser.embed_avg.copy_(centres * counts[:, None])
    quantiser.cluster_size.copy_(counts)
    quantiser.inited.fill_(1)
    return float((counts > 0).float().mean())


def _k_means(
    frames: torch.Tensor, size: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (size, D) and how many frames belong to each, from frames (N, D)."""
    start = torch.randperm(len(frames), generator=generator)[:size].to(frames.device)
    centres = frames[start]
    if len(centres) < size:  # fewer frames than codes: the rest are jittered copies
        extra = torch.randint(len(frames), (size - len(centres),), generator=generator)
        noise = torch.randn(len(extra), frames.shape[1], generator=generator).to(frames.device)
        spread = frames.std(dim=0, correction=0)
        centres = torch.cat([centres, frames[extra.to(frames.device)] + 0.01 * noise * spread])
    for _ in range(_ITERATIONS):
        nearest = _nearest(frames, centres)
        counts = torch.bincount(nearest, minlength=size).to(frames.dtype)
        sums = torch.zeros_like(centres).index_add_(0, nearest, frames)
        used = counts > 0
        centres = torch.where(used[:, None], sums / counts.clamp(min=1)[:, None], centres)
    counts = torch.bincount(_nearest(frames, centres), minlength=size).to(frames.dtype)
    return centres, counts


def _nearest(frames: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    # |a - b|^2 without the term of a, which does not change the order; in chunks for memory.
    norms = (centres**2).sum(dim=1)
    parts = [norms - 2 * chunk @ centres.T for chunk in frames.split(_CHUNK)]
    return torch.cat([part.argmin(dim=1) for part in parts])
