"""Choose the segment of a recording to keep as a reference clip, on laptop and server alike."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS_PER_SECOND = 50
IDEAL_REFERENCE_S = 6.0
MIN_REFERENCE_S, MAX_REFERENCE_S = 3.0, 10.0  # what a reference clip may last
# Below this peak there is only noise: -50 dB of full scale.
SILENCE_PEAK = 10 ** (-50 / 20)


def is_reference_length(seconds: float) -> bool:
    """Whether a clip of that many seconds may be a reference."""
    return MIN_REFERENCE_S <= seconds <= MAX_REFERENCE_S


def find_reference_segment(
    levels: Sequence[float], seconds: float = IDEAL_REFERENCE_S
) -> tuple[float, float]:
    """Start and end of the best segment in seconds, from the peak of each fiftieth of a second.

    Of all windows of `seconds` it is the one with most speech and the quietest ends, so that no
    word is cut. A shorter recording is kept whole.
    """
    width = int(seconds * LEVELS_PER_SECOND)
    if len(levels) <= width:
        return 0.0, len(levels) / LEVELS_PER_SECOND
    loud_level = sorted(levels)[int(0.95 * (len(levels) - 1))]
    peak_level = max(max(levels), 1e-9)
    voiced = sum(level > 0.1 * loud_level for level in levels[:width])
    best_score, start = float("-inf"), 0
    for first in range(len(levels) - width + 1):
        last = first + width - 1
        if first:
            voiced += (levels[last] > 0.1 * loud_level) - (levels[first - 1] > 0.1 * loud_level)
        score = voiced / width - (levels[first] + levels[last]) / peak_level
        if score > best_score:
            best_score, start = score, first
    return start / LEVELS_PER_SECOND, (start + width) / LEVELS_PER_SECOND
