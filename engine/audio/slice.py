"""Slice a long recording at its pauses into training clips.

Speech is distinguished from pauses by its level above the recording's noise, and from music or
noise by its pitch: a segment in which hardly any frame is voiced is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_HOP_S = 0.01
_PITCH_RANGE_HZ = (60.0, 500.0)
_VOICED_CORRELATION = 0.45  # normalised autocorrelation of a voiced frame
_MIN_VOICED_FRACTION = 0.1
_PITCH_FRAME_S = 0.04


@dataclass(frozen=True)
class SliceRules:
    """Limits in seconds, and levels in dB. Clips of 3 to 10 s are best for training."""

    shortest: float = 1.0
    preferred: float = 3.0
    longest: float = 10.0
    pause: float = 0.3
    kept_pause: float = 0.2  # of the pause, on either side of a clip
    above_noise_db: float = 10.0
    below_peak_db: float = 34.0


def slice_recording(
    wav: np.ndarray, rate: int, rules: SliceRules | None = None
) -> list[tuple[int, int]]:
    """Clips of `wav` float32 (N,) as (start, end) samples, in order, never overlapping.

    Silence and segments without a voice are in no clip.
    """
    rules = rules or SliceRules()
    hop = max(1, round(rate * _HOP_S))
    levels = frame_levels(wav, hop)
    segments = [
        stretch
        for stretch in _find_speech_segments(levels, rules)
        if _is_voiced(wav[stretch[0] * hop : stretch[1] * hop], rate)
    ]
    clips = _group_segments(segments, levels, rules)
    kept = round(rules.kept_pause / _HOP_S)
    least = round(rules.shortest / _HOP_S)
    cuts = []
    for number, (start, end) in enumerate(clips):
        if end - start < least:
            continue
        # Half of the pause at most, so that neighbours do not share samples.
        before = clips[number - 1][1] if number else 0
        after = clips[number + 1][0] if number + 1 < len(clips) else len(levels)
        start = max(start - kept, (before + start) // 2 if number else 0)
        end = min(end + kept, (end + after + 1) // 2 if number + 1 < len(clips) else len(levels))
        cuts.append((start * hop, min(end * hop, len(wav))))
    return cuts


def frame_levels(wav: np.ndarray, hop: int) -> np.ndarray:
    """Level of each hop in dB below full scale, smoothed over five hops: (N // hop,)."""
    frames = wav[: len(wav) // hop * hop].reshape(-1, hop)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    if len(power) >= 5:
        power = np.convolve(power, np.ones(5) / 5, mode="same")
    return 10 * np.log10(power + 1e-12)


def _find_speech_segments(levels: np.ndarray, rules: SliceRules) -> list[tuple[int, int]]:
    """Runs of speech in hops, joined across pauses shorter than a real one."""
    if levels.size == 0:
        return []
    noise, peak = np.percentile(levels, 5), np.percentile(levels, 99)
    threshold = max(peak - rules.below_peak_db, min(noise + rules.above_noise_db, peak - 6))
    if peak < -60:
        return []
    loud = np.concatenate([[False], levels > threshold, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1])
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    joined: list[tuple[int, int]] = []
    gap = round(rules.pause / _HOP_S)
    for start, end in runs:
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _group_segments(
    segments: list[tuple[int, int]], levels: np.ndarray, rules: SliceRules
) -> list[tuple[int, int]]:
    """Neighbouring segments joined up to the longest clip, long ones split."""
    longest = round(rules.longest / _HOP_S)
    good = round(rules.preferred / _HOP_S)
    clips: list[tuple[int, int]] = []
    for stretch in segments:
        for start, end in _split_segment(stretch, levels, longest):
            fits = clips and end - clips[-1][0] <= longest
            # A short clip takes its neighbour, unless a long pause lies between them.
            near = clips and start - clips[-1][1] <= round(1.0 / _HOP_S)
            if fits and near and clips[-1][1] - clips[-1][0] < good:
                clips[-1] = (clips[-1][0], end)
            else:
                clips.append((start, end))
    return clips


def _split_segment(
    segment: tuple[int, int], levels: np.ndarray, longest: int
) -> list[tuple[int, int]]:
    """A segment without a pause, split at its quietest frames until every part fits."""
    start, end = segment
    if end - start <= longest:
        return [segment]
    margin = (end - start) // 4
    middle = start + margin + int(np.argmin(levels[start + margin : end - margin]))
    return [
        *_split_segment((start, middle), levels, longest),
        *_split_segment((middle, end), levels, longest),
    ]


def _is_voiced(wav: np.ndarray, rate: int) -> bool:
    """Whether enough frames are periodic at a pitch of the human voice."""
    size = round(rate * _PITCH_FRAME_S)
    low, high = round(rate / _PITCH_RANGE_HZ[1]), min(round(rate / _PITCH_RANGE_HZ[0]), size - 1)
    if len(wav) < size or high <= low:
        return False
    frames = np.lib.stride_tricks.sliding_window_view(wav, size)[::size].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :size]
    # Fewer products enter at longer lags; undo that, so that low voices count as well.
    correlation = correlation / np.linspace(1, 1 / size, size)
    peaks = correlation[:, low:high].max(axis=1) / (correlation[:, 0] + 1e-12)
    return bool(np.mean(peaks > _VOICED_CORRELATION) >= _MIN_VOICED_FRACTION)
