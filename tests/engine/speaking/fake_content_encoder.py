"""What stands in for HuBERT where speaking is tested."""

from __future__ import annotations

import torch
from torch import Tensor


class Content:
    """Stands in for HuBERT: 50 frames a second of fixed random projections of the wave."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.calls = 0

    def features(self, wav16k: Tensor) -> Tensor:
        self.calls += 1
        frames = wav16k.unfold(1, 320, 320)  # (B, T, 320)
        basis = torch.randn(320, self.width, generator=torch.Generator().manual_seed(1))
        return (frames @ basis).transpose(1, 2)
