"""Exponential smoothing of a curve that may have gaps. numpy, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A block is short enough that weight**-length stays finite in float64 for every weight used.
_BLOCK = 256


def ema(y: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Debiased exponential moving average of `y` (N,); NaN stays NaN and is not averaged in.

    `weight` in [0, 1) is the share of the past. The same curve TensorBoard draws, computed in
    blocks by cumulative sums instead of point by point.
    """
    import numpy as np

    finite = np.isfinite(y)
    if weight <= 0 or not finite.any():
        return y
    values = y[finite]
    smooth = np.empty_like(values)
    block = min(_BLOCK, max(1, int(600 / -np.log(weight))))
    powers = weight ** np.arange(1, block + 1)
    carry = 0.0
    for start in range(0, len(values), block):
        chunk = values[start : start + block]
        decay = powers[: len(chunk)]
        sums = np.cumsum(chunk * (1 - weight) / decay) * decay + carry * decay
        smooth[start : start + len(chunk)] = sums
        carry = float(sums[-1])
    smooth /= 1 - weight ** np.arange(1, len(values) + 1)
    result = np.full_like(y, np.nan)
    result[finite] = smooth
    return result
