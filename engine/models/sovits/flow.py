"""Volume-preserving flow between posterior and prior latents (RealNVP couplings, VITS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.wavenet import WaveNet


class Coupling(nn.Module):
    """Shifts the second half of the channels by a function of the first half and the timbre."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        self.kept = config.inter_channels // 2
        hidden = config.hidden_channels
        self.pre = nn.Conv1d(self.kept, hidden, 1)
        self.enc = WaveNet(hidden, config.wn_kernel, config.flow_layers, config.gin_channels)
        self.post = nn.Conv1d(hidden, self.kept, 1)
        for parameter in self.post.parameters():  # a fresh flow is the identity
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, mask: Tensor, timbre: Tensor, inverse: bool) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        kept, moved = x.split(self.kept, dim=1)
        shift = self.post(self.enc(self.pre(kept) * mask, mask, timbre)) * mask
        moved = (moved - shift) * mask if inverse else shift + moved * mask
        return torch.cat([kept, moved], dim=1)


class Flip(nn.Module):
    """Reverses the order of the channels, so that the next coupling moves the other half."""

    def forward(self, x: Tensor, mask: Tensor, timbre: Tensor, inverse: bool) -> Tensor:
        """(B, C, T) -> (B, C, T); its own inverse."""
        return x.flip(1)


class Flow(nn.Module):
    """Couplings and flips in turn; `inverse` runs them backwards."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        self.flows = nn.ModuleList()
        for _ in range(config.flow_count):
            self.flows.append(Coupling(config))
            self.flows.append(Flip())

    def forward(self, x: Tensor, mask: Tensor, timbre: Tensor, *, inverse: bool = False) -> Tensor:
        """(B, C, T), mask (B, 1, T) and timbre (B, G, 1) -> (B, C, T)."""
        for step in reversed(self.flows) if inverse else self.flows:
            x = step(x, mask, timbre, inverse)
        return x
