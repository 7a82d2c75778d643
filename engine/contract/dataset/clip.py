"""What one clip measures, and whether it can be trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.contract.dataset.items import Item
from engine.contract.problem import ExitCode, Problem

# SPEC 3.11: SoVITS leaves out clips of 32 frames (1/50 s) and less and of more than 1,900.
SHORTEST_S = 0.66
LONGEST_SOVITS_S = 38.0
LONGEST_S = 54.0  # SPEC 5.6: the GPT's limit; beyond it a clip serves neither stage
LOUDEST = 2.2  # SPEC 1.7: float files may exceed 1; above this upstream skips the item
SILENT_DB = -60.0
CLIPPED_PART = 0.01  # more samples than this at the rails: distortion would be learnt
NARROW_HZ = 16000


@dataclass(frozen=True)
class ClipFacts:
    """Measured by a reader of sound files; levels in dB below full scale, None if unknown.

    `clipped` is the part of samples that sit at the rails, `noise_db` the level of the
    quietest tenth of 50 ms frames.
    """

    seconds: float
    rate: int
    channels: int
    peak: float | None = None
    level_db: float | None = None
    noise_db: float | None = None
    clipped: float | None = None


def decibels(amplitude: float) -> float:
    """20 log10, with silence at -120 dB."""
    return 20 * math.log10(max(amplitude, 1e-6))


def noise_floor_db(frame_levels: Sequence[float]) -> float:
    """Level of the quietest tenth of frames, from their rms amplitudes."""
    ordered = sorted(frame_levels)
    return decibels(ordered[len(ordered) // 10]) if ordered else decibels(0.0)


def fault_of(source: Path, item: Item, facts: ClipFacts) -> Problem | None:
    """Why a clip must be left out, or None when it can be trained on."""
    where = {"file": source.name, "line": item.line, "name": item.name}
    seconds = round(facts.seconds, 2)
    if facts.seconds < SHORTEST_S:
        return Problem("engine.data.too_short", ExitCode.DATA,
                       seconds=seconds, shortest=SHORTEST_S, **where)  # fmt: skip
    if facts.seconds > LONGEST_S:
        return Problem("engine.data.too_long", ExitCode.DATA,
                       seconds=seconds, longest=LONGEST_S, **where)  # fmt: skip
    if facts.level_db is not None and facts.level_db < SILENT_DB:
        level = round(facts.level_db)
        return Problem("engine.data.silent", ExitCode.DATA, level=level, **where)
    if facts.peak is not None and facts.peak > LOUDEST:
        peak = round(facts.peak, 2)
        return Problem("engine.data.too_loud", ExitCode.DATA, peak=peak, **where)
    if facts.clipped is not None and facts.clipped > CLIPPED_PART:
        percent = round(100 * facts.clipped, 1)
        return Problem("engine.data.clipped", ExitCode.DATA, percent=percent, **where)
    return None


def notes_of(source: Path, item: Item, facts: ClipFacts) -> list[Problem]:
    """Remarks on a clip that stays in."""
    where = {"file": source.name, "line": item.line, "name": item.name}
    notes = []
    if facts.seconds > LONGEST_SOVITS_S:
        seconds = round(facts.seconds, 1)
        notes.append(Problem("engine.data.long_for_sovits", ExitCode.DATA,
                             seconds=seconds, longest=LONGEST_SOVITS_S, **where))  # fmt: skip
    if facts.channels > 1:
        notes.append(
            Problem("engine.data.channels", ExitCode.DATA, channels=facts.channels, **where)
        )
    if facts.rate < NARROW_HZ:
        notes.append(Problem("engine.data.narrow", ExitCode.DATA, rate=facts.rate, **where))
    return notes
