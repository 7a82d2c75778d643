"""Which stretch of a recording to keep as a reference: laptop and server choose the same one."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS_A_SECOND = 50
IDEAL_S = 6.0
SHORTEST_S, LONGEST_S = 3.0, 10.0  # what a reference clip may last
# Below this peak there is only noise: -50 dB of full scale.
SILENT_PEAK = 10 ** (-50 / 20)


def best_stretch(levels: Sequence[float], seconds: float = IDEAL_S) -> tuple[float, float]:
    """(start, end) in seconds, from the amplitude of each fiftieth of a second.

    Of all windows it is the one with most speech whose two ends fall into the quietest places,
    so that no word is cut. A shorter recording is kept whole.
    """
    width = int(seconds * LEVELS_A_SECOND)
    if len(levels) <= width:
        return 0.0, len(levels) / LEVELS_A_SECOND
    loud = sorted(levels)[int(0.95 * (len(levels) - 1))]
    highest = max(max(levels), 1e-9)
    voiced = sum(level > 0.1 * loud for level in levels[:width])
    best, start = float("-inf"), 0
    for first in range(len(levels) - width + 1):
        last = first + width - 1
        if first:
            voiced += (levels[last] > 0.1 * loud) - (levels[first - 1] > 0.1 * loud)
        value = voiced / width - (levels[first] + levels[last]) / highest
        if value > best:
            best, start = value, first
    return start / LEVELS_A_SECOND, (start + width) / LEVELS_A_SECOND
