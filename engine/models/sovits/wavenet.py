"""Gated convolution stack of the posterior and the flow (WaveNet, WaveGlow)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sovdeck.engine.models.weight_norm import NormConv1d


class WaveNet(nn.Module):
    """`layers` gated convolutions with skip connections, conditioned on one vector an item."""

    def __init__(self, channels: int, kernel: int, layers: int, condition: int) -> None:
        super().__init__()
        self.channels = channels
        self.in_layers = nn.ModuleList()
        self.res_skip_layers = nn.ModuleList()
        for i in range(layers):
            last = i == layers - 1
            self.in_layers.append(
                NormConv1d(channels, 2 * channels, kernel, padding=(kernel - 1) // 2)
            )
            self.res_skip_layers.append(NormConv1d(channels, channels * (1 if last else 2), 1))
        self.cond_layer = NormConv1d(condition, 2 * channels * layers, 1)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Sum of the skips: x (B, C, T), mask (B, 1, T), condition (B, G, 1) -> (B, C, T)."""
        biases = self.cond_layer(condition).chunk(len(self.in_layers), dim=1)
        skips = torch.zeros_like(x)
        for layer, res_skip, bias in zip(self.in_layers, self.res_skip_layers, biases, strict=True):
            wave, gate = (layer(x) + bias).split(self.channels, dim=1)
            out = res_skip(torch.tanh(wave) * torch.sigmoid(gate))
            if out.shape[1] > self.channels:
                residual, out = out.split(self.channels, dim=1)
                x = (x + residual) * mask
            skips = skips + out
        return skips * mask
