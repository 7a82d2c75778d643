"""Where axis labels go: 1-2-5 steps on a linear axis, decades on a logarithmic one. Pure."""

from __future__ import annotations

import math


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2, 5 x 10^n that cuts `span` into at most `count` pieces."""
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    return 10 * power


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Nice values within [low, high], about `count` of them."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    step = nice_step(high - low, count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Decades within [low, high], at most `count`; 2 and 5 between them where they fit."""
    if not 0 < low < high:
        return []
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**d for d in decades for f in factors if low <= f * 10.0**d <= high]
        if len(ticks) <= max(count, 1):
            break
    if len(ticks) < 2:  # less than a decade: nice linear values are logarithmic ticks too
        return [tick for tick in linear_ticks(low, high, count) if tick > 0]
    stride = max(1, math.ceil(len(ticks) / max(count, 1)))
    return ticks[::stride]


def format_tick(value: float) -> str:
    """Format a tick in at most seven cells and a sign: 0.05, 12.5, 1200, 40k, 1e-05."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 1e6:
        return f"{value / 1e6:.4g}M" if magnitude < 1e9 else f"{value:.0e}"
    if magnitude >= 1e4:
        return f"{value / 1e3:.4g}k"
    if magnitude < 1e-4:
        return f"{value:.0e}"
    return f"{value:.4g}" if magnitude >= 0.01 else f"{value:.2g}"
