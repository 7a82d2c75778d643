"""Reference encoder: one vector of timbre from a spectrogram (Mel-Style, arXiv:2106.03153)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.dropout import Dropout
from sovdeck.engine.models.sovits.config import SovitsConfig


class _Linear(nn.Module):
    """A linear layer stored one level down, as `.fc`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class _Convolution(nn.Module):
    """A convolution over time stored one level down, as `.conv`."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class GatedConvolution(nn.Module):
    """`x + drop(a * sigmoid(b))` with a, b from one convolution, (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = _Convolution(channels, 2 * channels, kernel)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return x + self.drop(F.glu(self.conv1(x), dim=1))


class StyleAttention(nn.Module):
    """Self-attention over (B, T, C) whose temperature is the model width, not the head's."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.w_qs = nn.Linear(channels, channels)
        self.w_ks = nn.Linear(channels, channels)
        self.w_vs = nn.Linear(channels, channels)
        self.fc = nn.Linear(channels, channels)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend: x (B, T, C), boolean mask (B, 1, T) -> (B, T, C)."""
        q, k, v = (
            w(x).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, nh, T, d)
            for w in (self.w_qs, self.w_ks, self.w_vs)
        )
        scale = x.shape[-1] ** -0.5
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None], scale=scale)
        return self.drop(self.fc(out.transpose(1, 2).flatten(2))) + x


class ReferenceEncoder(nn.Module):
    """Spectrogram (B, bins, T) -> timbre (B, gin, 1), from the lowest `ref_bins` bins."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        width, drop = config.ref_channels, config.ref_dropout
        self.bins = config.ref_bins
        self.spectral = nn.Sequential(
            _Linear(self.bins, width),
            nn.Mish(),
            Dropout(drop),
            _Linear(width, width),
            nn.Mish(),
            Dropout(drop),
        )
        self.temporal = nn.Sequential(
            GatedConvolution(width, config.ref_kernel, drop),
            GatedConvolution(width, config.ref_kernel, drop),
        )
        self.slf_attn = StyleAttention(width, config.ref_heads, drop)
        self.fc = _Linear(width, config.gin_channels)

    def forward(self, spec: Tensor, mask: Tensor) -> Tensor:
        """Spectrogram (B, bins, T), boolean mask (B, 1, T) -> (B, gin, 1): mean of valid frames.

        As in upstream, padded frames are not zeroed between the spectral layers and the
        convolutions, so padding slightly changes the last frames of a shorter item.
        """
        x = self.spectral((spec[:, : self.bins] * mask).transpose(1, 2))  # (B, T, H)
        x = self.temporal(x.transpose(1, 2)) * mask  # (B, H, T)
        x = self.fc(self.slf_attn(x.transpose(1, 2), mask))  # (B, T, gin)
        valid = mask.transpose(1, 2)
        total = torch.sum(x * valid, dim=1) / valid.sum(dim=1)
        return total[..., None]
