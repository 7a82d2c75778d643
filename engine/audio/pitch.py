"""Raise or lower the pitch of speech; its speed and its formants stay.

Praat's overlap-add (PSOLA) moves the periods of the voice closer together or further apart, while
each keeps its own shape: so the speaker sounds higher, not smaller. Sounds without a pitch stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sovdeck.engine.contract.problem import ExitCode, Problem

_TIME_STEP_S = 0.01
_PITCH_RANGE_HZ = (60.0, 600.0)
_SHORTEST_S = 0.1  # Praat needs some periods to find a pitch in


def shift_pitch(samples: np.ndarray, rate: int, semitones: float) -> np.ndarray:
    """Samples (N,) float32 at `rate` Hz, shifted: (N,) float32 again.

    Problem when the optional library is missing.
    """
    if not semitones or len(samples) < _SHORTEST_S * rate:
        return samples
    praat = _load_praat()
    sound = praat.Sound(samples.astype(np.float64), float(rate))
    manipulation = praat.praat.call(sound, "To Manipulation", _TIME_STEP_S, *_PITCH_RANGE_HZ)
    tier = praat.praat.call(manipulation, "Extract pitch tier")
    if not praat.praat.call(tier, "Get number of points"):
        return samples
    factor = 2.0 ** (semitones / 12)
    praat.praat.call(tier, "Multiply frequencies", sound.xmin, sound.xmax, factor)
    praat.praat.call([tier, manipulation], "Replace pitch tier")
    shifted = praat.praat.call(manipulation, "Get resynthesis (overlap-add)")
    values = np.asarray(shifted.values[0], dtype=np.float32)[: len(samples)]
    return np.pad(values, (0, len(samples) - len(values)))


def _load_praat() -> Any:
    try:
        import parselmouth
    except ImportError as error:
        raise Problem("engine.speaking.no_pitch_package", ExitCode.CONFIG) from error
    return parselmouth
