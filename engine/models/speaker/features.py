"""Kaldi's log mel features, the speaker network's input."""

from __future__ import annotations

import torch
from torch import Tensor
from torchaudio.compliance.kaldi import fbank

SAMPLE_RATE = 16000
FRAME = 400  # samples of a frame: 25 ms
BANDS = 80


def kaldi_features(wav: Tensor, bands: int = BANDS) -> Tensor:
    """16 kHz wave (N,) in -1..1 -> log mel energies (1 + (N - 400) // 160, bands) float32.

    Nothing random is added and no mean is taken off: how loud the wave is stays in the features.
    ValueError when N is below 400.
    """
    if wav.dim() != 1 or wav.shape[0] < FRAME:
        raise ValueError(f"wave of shape {tuple(wav.shape)}; need ({FRAME} or more,)")
    with torch.autocast(wav.device.type, enabled=False):
        features: Tensor = fbank(
            wav.float()[None], num_mel_bins=bands, sample_frequency=SAMPLE_RATE, dither=0.0
        )
    return features
