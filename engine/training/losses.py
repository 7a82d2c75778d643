"""Losses of SoVITS training, each a pure function in float32 (HiFi-GAN and VITS papers)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MEL_WEIGHT = 45.0
KL_WEIGHT = 1.0
FEATURE_WEIGHT = 2.0


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Least-squares GAN: sum over discriminators d of `mean((1 - D_d(y))^2) + mean(D_d(y_hat)^2)`.

    `real` and `fake` are the scores (B, N) of each discriminator.
    """
    return _sum(
        (1 - r.float()).square().mean() + f.float().square().mean()
        for r, f in zip(real, fake, strict=True)
    )


def adversarial_loss(fake: Sequence[Tensor]) -> Tensor:
    """`sum_d mean((1 - D_d(y_hat))^2)` over the scores (B, N) of each discriminator."""
    return _sum((1 - f.float()).square().mean() for f in fake)


def feature_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """`2 sum_d sum_l mean|f_l(y) - f_l(y_hat)|` over all feature maps and scores.

    The real side carries no gradient.
    """
    pairs = (
        (r, f)
        for maps, others in zip(real, fake, strict=True)
        for r, f in zip(maps, others, strict=True)
    )
    return FEATURE_WEIGHT * _sum((r.detach().float() - f.float()).abs().mean() for r, f in pairs)


def mel_loss(target: Tensor, predicted: Tensor) -> Tensor:
    """`45 mean|mel - mel_hat|` of log mel spectrograms (B, 128, T)."""
    return MEL_WEIGHT * (target.float() - predicted.float()).abs().mean()


def kl_loss(z_p: Tensor, logs_q: Tensor, m_p: Tensor, logs_p: Tensor, mask: Tensor) -> Tensor:
    """Divergence of posterior from prior, of one sample of it, summed over channels.

    `sum mask [logs_p - logs_q - 1/2 + (z_p - m_p)^2 exp(-2 logs_p) / 2] / sum mask`, all
    (B, C, T) and mask (B, 1, T): the divisor counts frames, not frames times channels.
    """
    z_p, logs_q, m_p, logs_p = z_p.float(), logs_q.float(), m_p.float(), logs_p.float()
    kl = logs_p - logs_q - 0.5 + 0.5 * (z_p - m_p).square() * torch.exp(-2 * logs_p)
    return KL_WEIGHT * (kl * mask).sum() / mask.sum()


@dataclass(frozen=True)
class GeneratorLosses:
    """The weighted terms of the generator's loss, each a scalar tensor."""

    adversarial: Tensor
    features: Tensor
    mel: Tensor
    kl: Tensor

    @property
    def total(self) -> Tensor:
        """Their plain sum; the weights are inside the terms."""
        return self.adversarial + self.features + self.mel + self.kl


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
