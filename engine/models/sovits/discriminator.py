"""Multi-period and scale discriminators of a wave (HiFi-GAN, arXiv:2010.05646)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.weight_norm import NormConv1d, NormConv2d

SLOPE = 0.1
DiscriminatorOutput = tuple[Tensor, list[Tensor]]


class ScaleDiscriminator(nn.Module):
    """Strided, grouped convolutions over the raw wave."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        first, *_, last = channels
        self.convs = nn.ModuleList([NormConv1d(1, first, 15, 1, padding=7)])
        for inputs, outputs in pairwise(channels[:-1]):
            # groups of four channels
            self.convs.append(
                NormConv1d(inputs, outputs, 41, 4, padding=20, groups=max(1, inputs // 4))
            )
        self.convs.append(NormConv1d(channels[-2], last, 5, 1, padding=2))
        self.conv_post = NormConv1d(last, 1, 3, 1, padding=1)

    def forward(self, wav: Tensor) -> DiscriminatorOutput:
        """Wave (B, 1, T) -> scores (B, N) and feature maps, scores last."""
        return _discriminate(self.convs, self.conv_post, wav)


class PeriodDiscriminator(nn.Module):
    """The wave folded at a period, convolved along each phase of it."""

    def __init__(self, period: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.period = period
        self.convs = nn.ModuleList()
        inputs = 1
        for i, outputs in enumerate(channels):
            stride = 1 if i == len(channels) - 1 else 3
            self.convs.append(NormConv2d(inputs, outputs, (5, 1), (stride, 1), padding=(2, 0)))
            inputs = outputs
        self.conv_post = NormConv2d(inputs, 1, (3, 1), 1, padding=(1, 0))

    def forward(self, wav: Tensor) -> DiscriminatorOutput:
        """Wave (B, 1, T) -> scores (B, N) and feature maps, scores last."""
        short = -wav.shape[-1] % self.period
        if short:
            wav = F.pad(wav, (0, short), mode="reflect")
        folded = wav.unflatten(-1, (-1, self.period))  # (B, 1, T/p, p)
        return _discriminate(self.convs, self.conv_post, folded)


def _discriminate(convs: nn.ModuleList, post: nn.Module, x: Tensor) -> DiscriminatorOutput:
    features = []
    for conv in convs:
        x = F.leaky_relu(conv(x), SLOPE, inplace=True)  # nothing keeps what came before
        features.append(x)
    x = post(x)
    features.append(x)
    return x.flatten(1), features


class Discriminator(nn.Module):
    """Discriminators of a wave: one scale, then one a period (up to 11; v2Pro also 17, 23)."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList([ScaleDiscriminator(config.scale_channels)])
        for period in config.periods:
            self.discriminators.append(PeriodDiscriminator(period, config.period_channels))

    def forward(self, wav: Tensor) -> list[DiscriminatorOutput]:
        """Wave (B, 1, T) -> of each discriminator its scores (B, N) and feature maps."""
        return [discriminator(wav) for discriminator in self.discriminators]
