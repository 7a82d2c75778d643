"""Linear and mel spectrograms as GPT-SoVITS v2 computes them (2048 window, 640 hop, 32 kHz)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLE_RATE = 32000
WINDOW = 2048
HOP = 640
BINS = WINDOW // 2 + 1
MEL_BANDS = 128
MEL_FLOOR = 1e-5


def spectrogram(wav: Tensor) -> Tensor:
    """Magnitudes of a 32 kHz wave: (B, N) or (N,) -> (B, 1025, N // 640) float32.

    The signal is reflected by 704 samples at both ends, so N must exceed 704 (ValueError).
    """
    wav = wav if wav.dim() == 2 else wav[None]
    pad = (WINDOW - HOP) // 2
    if wav.shape[-1] <= pad:
        raise ValueError(
            f"{wav.shape[-1]} samples are too few for a spectrogram; over {pad} needed"
        )
    with torch.autocast(wav.device.type, enabled=False):
        padded = F.pad(wav.float()[:, None], (pad, pad), mode="reflect")[:, 0]
        window = _window(str(padded.device))
        stft = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True)
        power = torch.view_as_real(stft).square().sum(-1)
        return torch.sqrt(power + 1e-8)


def mel_spectrogram(spec: Tensor) -> Tensor:
    """Magnitudes (B, 1025, T) -> natural log of 128 mel bands (B, 128, T), floored at 1e-5."""
    with torch.autocast(spec.device.type, enabled=False):
        bands = _filter_bank_on(str(spec.device)) @ spec.float()
        return bands.clamp(min=MEL_FLOOR).log()


def mel_filter_bank() -> Tensor:
    """Triangular mel filters (128, 1025) on the Slaney scale, each of unit area in Hz.

    The scale is linear to 1 kHz (200/3 Hz a mel) and logarithmic above (6.4 times in 27 mels),
    as in Slaney's Auditory Toolbox; bands span 0 to 16 kHz.
    """
    top = _hz_to_mel(SAMPLE_RATE / 2)
    edges = [_mel_to_hz(top * i / (MEL_BANDS + 1)) for i in range(MEL_BANDS + 2)]
    corner = torch.tensor(edges, dtype=torch.float64)[:, None]
    bins = torch.linspace(0, SAMPLE_RATE / 2, BINS, dtype=torch.float64)
    low, centre, high = corner[:-2], corner[1:-1], corner[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (high - low)).float()


_HZ_PER_MEL = 200 / 3  # Hz a mel below 1 kHz
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27  # of log frequency a mel above


def _hz_to_mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _HZ_PER_MEL
    return _KNEE_MEL + math.log(hz / _KNEE_HZ) / _LOG_STEP


def _mel_to_hz(mels: float) -> float:
    if mels < _KNEE_MEL:
        return mels * _HZ_PER_MEL
    return _KNEE_HZ * math.exp((mels - _KNEE_MEL) * _LOG_STEP)


@lru_cache(maxsize=8)
def _window(device: str) -> Tensor:
    with torch.inference_mode(False):
        return torch.hann_window(WINDOW, device=device)


@lru_cache(maxsize=8)
def _filter_bank_on(device: str) -> Tensor:
    # A tensor made under inference_mode could never be used in training again.
    with torch.inference_mode(False):
        return mel_filter_bank().to(device)
