"""Change of sample rate through torchaudio's windowed sinc, as GPT-SoVITS does."""

from __future__ import annotations

import numpy as np
import torch
from torchaudio.functional import resample as sinc_resample


def resample(wav: np.ndarray, source_hz: int, target_hz: int) -> np.ndarray:
    """`wav` float32 (N,) at `source_hz` to float32 (ceil(N * target / source),) at `target_hz`."""
    if source_hz == target_hz:
        return wav
    with torch.inference_mode():
        return sinc_resample(torch.from_numpy(wav), source_hz, target_hz).numpy()
