"""HiFi-GAN decoder: latent frames at 50 Hz to a 32 kHz wave (arXiv:2010.05646)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.sovits.config import SovitsConfig
from engine.models.weight_norm import NormConv1d, NormConvTranspose1d

SLOPE = 0.1
LAST_SLOPE = 0.01  # upstream leaves torch's default before the last convolution


class ResidualBlock(nn.Module):
    """`x + c2(lrelu(c1(lrelu(x))))` for each dilation of c1, (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        def convolution(dilation: int) -> NormConv1d:
            padding = dilation * (kernel - 1) // 2
            return NormConv1d(channels, channels, kernel, padding=padding, dilation=dilation)

        self.convs1 = nn.ModuleList(convolution(d) for d in dilations)
        self.convs2 = nn.ModuleList(convolution(1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            y = dilated(F.leaky_relu(x, SLOPE))
            x = x + plain(F.leaky_relu(y, SLOPE, inplace=True))
        return x


class Decoder(nn.Module):
    """Latent (B, C, T) and timbre (B, G, 1) -> wave (B, 1, T * hop) in -1..1."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        width = config.upsample_initial_channel
        self.conv_pre = nn.Conv1d(config.inter_channels, width, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            self.ups.append(
                NormConvTranspose1d(
                    width, width // 2, kernel, stride=rate, padding=(kernel - rate) // 2
                )
            )
            width //= 2
            for size, dilations in zip(
                config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True
            ):
                self.resblocks.append(ResidualBlock(width, size, dilations))
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3, bias=False)
        self.cond = nn.Conv1d(config.gin_channels, config.upsample_initial_channel, 1)

    def forward(self, z: Tensor, timbre: Tensor) -> Tensor:
        x = self.conv_pre(z) + self.cond(timbre)
        per_stage = len(self.resblocks) // len(self.ups)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE, inplace=True))
            blocks = self.resblocks[i * per_stage : (i + 1) * per_stage]
            x = sum(block(x) for block in blocks) / per_stage
        return torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE, inplace=True)))
