"""The two signals an item becomes, with the loudness arithmetic of SPEC 1.7."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.audio.load import load
from engine.audio.resample import resample
from engine.prepare.folder import RATE_HZ

CONTENT_HZ = 16000
_TARGET, _MIX = 0.95, 0.5
# Upstream feeds its content encoder at this scale; the group norm of its first layer hides it.
_CONTENT_SCALE = 1145.14


def training_signals(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Decode `path` into int16 (N,) at 32 kHz and float32 (N/2,) at 16 kHz for the encoder.

    Half of each is the clip brought to 0.95 of full scale, half the clip as it is, so quiet
    clips come up without all becoming equally loud. Where upstream's int16 would wrap round
    (peaks above about 1.05) we clip.
    """
    wav, rate = load(path)
    wav = resample(wav, rate, RATE_HZ)
    levelled = wav / np.abs(wav).max() * (_TARGET * _MIX)
    stored = (levelled + (1 - _MIX) * wav) * np.float32(32768)
    heard = (levelled + (1 - _MIX) * wav) * np.float32(_CONTENT_SCALE)
    whole = np.clip(stored, -32768, 32767).astype(np.int16)  # truncates toward zero
    return whole, resample(heard.astype(np.float32), RATE_HZ, CONTENT_HZ)
