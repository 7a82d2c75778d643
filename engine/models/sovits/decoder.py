"""HiFi-GAN decoder: latent frames at 50 Hz to a 32 kHz wave (arXiv:2010.05646)."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.weight_norm import NormConv1d, NormConvTranspose1d

SLOPE = 0.1
# The last stages, and the wave, are never rounded to a half format: their rounding is noise below
# the signal, which the log mel of an untrained decoder hears. In bf16 the mel term of a first
# update of v2 came 3.1 % too low; with one stage exact 0.3 %, with two 0.02 % (on a CPU).
EXACT_STAGES = 2
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
        """(B, C, T) -> (B, C, T)."""
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

    @property
    def receptive_frames(self) -> int:
        """How many frames on either side of it a latent frame influences."""
        ups: Any = self.ups  # torch types the parts of a module list as bare modules
        frames, rate = _half_kernel(self.conv_pre), 1.0
        per_stage = len(self.resblocks) // len(ups)
        for i, up in enumerate(ups):
            frames += up.kernel_size[0] / up.stride[0] / rate
            rate *= up.stride[0]
            blocks: Any = self.resblocks[i * per_stage : (i + 1) * per_stage]
            frames += (
                max(
                    sum(_half_kernel(conv) for conv in (*block.convs1, *block.convs2))
                    for block in blocks
                )
                / rate
            )
        return math.ceil(frames + _half_kernel(self.conv_post) / rate)

    def forward(self, z: Tensor, timbre: Tensor) -> Tensor:
        """Latent (B, C, T) and timbre (B, G, 1) -> wave (B, 1, T * hop)."""
        x = self.conv_pre(z) + self.cond(timbre)
        rounded = len(self.ups) - EXACT_STAGES
        for stage in range(rounded):
            x = self._upsample(stage, x)
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.conv_post.weight.dtype)
            for stage in range(rounded, len(self.ups)):
                x = self._upsample(stage, x)
            return torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE, inplace=True)))

    def _upsample(self, stage: int, x: Tensor) -> Tensor:
        per_stage = len(self.resblocks) // len(self.ups)
        x = self.ups[stage](F.leaky_relu(x, SLOPE, inplace=True))
        blocks = self.resblocks[stage * per_stage : (stage + 1) * per_stage]
        return sum(block(x) for block in blocks) / per_stage


def _half_kernel(conv: Any) -> float:
    return float(conv.dilation[0] * (conv.kernel_size[0] - 1) / 2)
