"""The frozen codebook between content features and semantic tokens (1024 codewords)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.sovits.config import SovitsConfig


class Codebook(nn.Module):
    """Codewords (K, D) and the running statistics they were trained with; buffers only."""

    inited: Tensor
    cluster_size: Tensor
    embed: Tensor
    embed_avg: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        codewords = torch.randn(size, dim)
        self.register_buffer("inited", torch.ones(1))
        self.register_buffer("cluster_size", torch.ones(size))
        self.register_buffer("embed", codewords)
        self.register_buffer("embed_avg", codewords.clone())


class _Level(nn.Module):
    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self._codebook = Codebook(size, dim)


class _Levels(nn.Module):
    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_Level(size, dim)])


class Quantizer(nn.Module):
    """Nearest codeword by Euclidean distance. Never trained: GPT-SoVITS v2 keeps it frozen."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        self.vq = _Levels(config.codebook_size, config.ssl_dim)

    @property
    def codebook(self) -> Codebook:
        """The codebook of the only level."""
        return cast(_Level, self.vq.layers[0])._codebook

    def encode(self, x: Tensor) -> Tensor:
        """Features (B, D, S) -> codeword numbers (B, S)."""
        codewords = self.codebook.embed
        x = x.transpose(1, 2)  # (B, S, D)
        # ||x - w||^2 without ||x||^2, which is the same for every codeword
        distance = codewords.square().sum(1) - 2 * (x @ codewords.t())
        return distance.argmin(-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codeword numbers (B, S) -> features (B, D, S)."""
        return F.embedding(codes, self.codebook.embed).transpose(1, 2)
