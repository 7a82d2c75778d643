"""The two signals an item becomes, with the loudness arithmetic of SPEC 1.7."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample

CONTENT_SAMPLE_RATE = 16000
_TARGET_PEAK, _LEVELLED_SHARE = 0.95, 0.5
# Upstream feeds its content encoder at this scale; the group norm of its first layer hides it.
_CONTENT_SCALE = 1145.14


def training_signals(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Decode `path` into int16 (N,) at 32 kHz and float32 (N/2,) at 16 kHz for the encoder.

    Half of each is the clip brought to 0.95 of full scale, half the clip as it is, so quiet
    clips come up without all becoming equally loud. Where upstream's int16 would wrap round
    (peaks above about 1.05) we clip.
    """
    wav, rate = load_mono(path)
    wav = resample(wav, rate, SPEECH_SAMPLE_RATE)
    levelled = wav / np.abs(wav).max() * (_TARGET_PEAK * _LEVELLED_SHARE)
    stored = (levelled + (1 - _LEVELLED_SHARE) * wav) * np.float32(32768)
    encoder_input = (levelled + (1 - _LEVELLED_SHARE) * wav) * np.float32(_CONTENT_SCALE)
    training_wave = np.clip(stored, -32768, 32767).astype(np.int16)  # truncates toward zero
    return training_wave, resample(
        encoder_input.astype(np.float32), SPEECH_SAMPLE_RATE, CONTENT_SAMPLE_RATE
    )
