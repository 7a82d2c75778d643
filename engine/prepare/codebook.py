"""A codebook for a run from nothing: k-means over the voice's own content features.

A random codebook sends nearly every frame to a handful of codes; tokens then say nothing and
the GPT has nothing to learn. Pretrained bases never need this.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

_ROUNDS = 10
_MOST_FRAMES = 20000  # more frames add time, not better centres
_CHUNK = 4096


@torch.no_grad()
def fit(base_sovits: torch.nn.Module, features: Iterable[torch.Tensor], seed: int) -> float:
    """Fill the quantiser of `base_sovits` from `features`, each (1, H, T) at 50 Hz, in place.

    Lloyd's k-means with random starting frames. Returns the fraction of codes in use. The
    result depends only on the base, the features in order and `seed`.
    """
    parameter = next(base_sovits.parameters())
    place = {"device": parameter.device, "dtype": parameter.dtype}
    frames = torch.cat(
        [base_sovits.ssl_proj(ssl.to(**place)).squeeze(0).T.float() for ssl in features]
    )
    generator = torch.Generator().manual_seed(seed)
    if len(frames) > _MOST_FRAMES:
        chosen = torch.randperm(len(frames), generator=generator)[:_MOST_FRAMES]
        frames = frames[chosen.to(frames.device)]
    book = base_sovits.quantizer.vq.layers[0]._codebook
    centres, counts = _k_means(frames, book.embed.shape[0], generator)
    book.embed.copy_(centres)
    book.embed_avg.copy_(centres * counts[:, None])
    book.cluster_size.copy_(counts)
    book.inited.fill_(1)
    return float((counts > 0).float().mean())


def _k_means(
    frames: torch.Tensor, size: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (size, D) and how many frames each won, from frames (N, D)."""
    start = torch.randperm(len(frames), generator=generator)[:size].to(frames.device)
    centres = frames[start]
    if len(centres) < size:  # fewer frames than codes: the rest are jittered copies
        extra = torch.randint(len(frames), (size - len(centres),), generator=generator)
        noise = torch.randn(len(extra), frames.shape[1], generator=generator).to(frames.device)
        spread = frames.std(dim=0, correction=0)
        centres = torch.cat([centres, frames[extra.to(frames.device)] + 0.01 * noise * spread])
    for _ in range(_ROUNDS):
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
