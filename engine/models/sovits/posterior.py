"""Posterior encoder: the target spectrogram to the latent it is trained on (VITS, 2106.06103)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.wavenet import WaveNet


class PosteriorEncoder(nn.Module):
    """Spectrogram (B, bins, T) -> a normal distribution over latents (B, C, T). Training only."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        hidden = config.hidden_channels
        self.pre = nn.Conv1d(config.spec_bins, hidden, 1)
        self.enc = WaveNet(hidden, config.wn_kernel, config.posterior_layers, config.gin_channels)
        self.proj = nn.Conv1d(hidden, 2 * config.inter_channels, 1)

    def forward(
        self, spec: Tensor, mask: Tensor, timbre: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """-> z, mean, log deviation, each (B, C, T); `noise` (B, C, T) is drawn when None."""
        x = self.enc(self.pre(spec) * mask, mask, timbre)
        mean, log_std = (self.proj(x) * mask).chunk(2, dim=1)
        if noise is None:
            # Drawn in bfloat16 it would be other numbers, and of a smaller deviation.
            noise = torch.randn_like(mean, dtype=torch.float32)
        return (mean + noise * log_std.exp()) * mask, mean, log_std
