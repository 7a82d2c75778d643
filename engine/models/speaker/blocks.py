"""Building blocks of ERes2NetV2 (Chen et al., arXiv:2406.02167)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.speaker.config import SpeakerConfig

CEILING = 20.0  # activations inside the blocks are clamped to 0..20; the weights expect it


def clamped_relu(x: Tensor) -> Tensor:
    """`min(max(x, 0), 20)`, any shape."""
    return F.hardtanh(x, 0.0, CEILING)


class AttentiveFusion(nn.Module):
    """Two feature maps (B, C, F, T) into one, weighted by what both hold at each point."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        inner = channels // reduction
        self.local_att = nn.Sequential(
            nn.Conv2d(2 * channels, inner, 1),
            nn.BatchNorm2d(inner),
            nn.SiLU(),
            nn.Conv2d(inner, channels, 1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x, y (B, C, F, T) -> `x * a + y * (2 - a)` with a in 0..2, (B, C, F, T)."""
        share = 1 + torch.tanh(self.local_att(torch.cat([x, y], dim=1)))
        return x * share + y * (2 - share)


class SplitBlock(nn.Module):
    """A residual block whose channels are split, each split also hearing the one before it.

    With `fused` a split takes its neighbour's result through an `AttentiveFusion`, otherwise by
    addition. (B, C, F, T) -> (B, planes * expansion, ceil(F / stride), ceil(T / stride)).
    """

    def __init__(
        self, config: SpeakerConfig, inputs: int, planes: int, stride: int, *, fused: bool
    ) -> None:
        super().__init__()
        width, outputs = planes * config.base_width // 64, planes * config.expansion
        self.width = width
        self.conv1 = nn.Conv2d(inputs, width * config.scale, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width * config.scale)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(config.scale)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(config.scale))
        if fused:
            self.fuse_models = nn.ModuleList(
                AttentiveFusion(width) for _ in range(config.scale - 1)
            )
        self.fused = fused
        self.conv3 = nn.Conv2d(width * config.scale, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, F, T) to (B, planes * expansion, F', T')."""
        parts = clamped_relu(self.bn1(self.conv1(x))).split(self.width, dim=1)
        results: list[Tensor] = []
        for i, (part, conv, norm) in enumerate(zip(parts, self.convs, self.bns, strict=True)):
            if not results:
                mixed = part
            elif self.fused:
                mixed = self.fuse_models[i - 1](results[-1], part)
            else:
                mixed = results[-1] + part
            results.append(clamped_relu(norm(conv(mixed))))
        out = self.bn3(self.conv3(torch.cat(results, dim=1)))
        return clamped_relu(out + self.shortcut(x))
