"""Test signals."""

from __future__ import annotations

import numpy as np


def tone(seconds: float, rate: int = 24000, level: float = 0.3, hz: float = 220.0) -> np.ndarray:
    """A tone that comes and goes, so that neither its level nor its features are constant."""
    t = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hz * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 1.7 * t))).astype(
        np.float32
    )
