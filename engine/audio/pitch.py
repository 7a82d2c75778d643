"""Raise or lower the pitch of speech; its speed and its formants stay.

The WORLD vocoder parts a voice into pitch, spectral envelope and breath; only the pitch is changed
before it is put together again, so the speaker sounds higher, not smaller. What has no pitch, as
consonants and pauses, stays as it is: there the samples themselves are kept.
Morise et al., "WORLD: A Vocoder-Based High-Quality Speech Synthesis System", IEICE 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sovdeck.engine.contract.problem import ExitCode, Problem

_FRAME_MS = 5.0
_PITCH_RANGE_HZ = (60.0, 800.0)
_SHORTEST_S = 0.1  # a pitch needs some periods to be found in


def shift_pitch(samples: np.ndarray, rate: int, semitones: float) -> np.ndarray:
    """Samples (N,) float32 at `rate` Hz, shifted: (N,) float32 again.

    Problem when the optional library is missing.
    """
    if not semitones or len(samples) < _SHORTEST_S * rate:
        return samples
    world = _load_world()
    sound = samples.astype(np.float64)
    low, high = _PITCH_RANGE_HZ
    found, times = world.dio(sound, rate, low, high, frame_period=_FRAME_MS)  # (T,)
    pitch = world.stonemask(sound, found, times, rate)  # (T,) Hz, 0: none
    if not pitch.any():
        return samples
    envelope = world.cheaptrick(sound, pitch, times, rate)  # (T, F)
    breath = world.d4c(sound, pitch, times, rate)  # (T, F)
    shifted = world.synthesize(pitch * 2.0 ** (semitones / 12), envelope, breath, rate, _FRAME_MS)
    shifted = np.pad(shifted[: len(sound)], (0, max(0, len(sound) - len(shifted))))
    voiced = np.interp(np.arange(len(sound)) / rate, times, (pitch > 0).astype(np.float64))
    return (voiced * shifted + (1 - voiced) * sound).astype(np.float32)


def _load_world() -> Any:
    try:
        import pyworld
    except ImportError as error:
        raise Problem("engine.speaking.no_pitch_package", ExitCode.CONFIG) from error
    return pyworld
