"""How many optimiser updates an epoch has, before anything runs. Pure arithmetic.

The same counts as the trainer's own order of batches (a test holds them equal), here so that
the laptop shows them beside the batch size while it is typed.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_UPDATES = 4
REPEAT_CAP = 2  # times the `fixed` schedule may show a clip in one epoch
GPT_ACCUMULATE = 4

_GIB = 1 << 30
_CPU_BATCH = 4
_SMALL_SET, _SMALL_SET_BATCH = 300, 12
_UPSTREAM_FEW = 100
_UPSTREAM_BORDERS = (32, *range(300, 2000, 100))  # frames of 20 ms


def fixed_updates(clips: int, batch: int, world: int = 1, accumulate: int = 1) -> int:
    """Updates an epoch of the `fixed` schedule; 0 when there are no clips."""
    if clips == 0:
        return 0
    whole = batch * world
    need = max(LEAST_UPDATES * whole - clips, -clips % whole)
    batches = _ceil(clips + min(need, clips * (REPEAT_CAP - 1)), whole)
    return min(batches, max(LEAST_UPDATES, _ceil(batches, accumulate)))


def largest_batch(clips: int, world: int = 1) -> int:
    """The largest batch per GPU that still gives four updates an epoch; 0 when none does."""
    if clips * REPEAT_CAP < LEAST_UPDATES * world:
        return 0
    return max(1, (clips - 1) // (LEAST_UPDATES - 1) // world)


def upstream_gpt_updates(clips: int, batch: int, world: int = 1) -> int:
    """Updates an epoch of GPT-SoVITS's own GPT training, which may be none (SPEC 5.5, 5.6)."""
    if clips == 0:
        return 0
    items = clips * upstream_repeats(clips)
    whole = max(min(batch, items // 4), 1) * world
    return (_ceil(items, whole) - 1) // GPT_ACCUMULATE


def upstream_sovits_updates(frames: Sequence[int], batch: int, world: int = 1) -> int:
    """Updates an epoch of GPT-SoVITS's own SoVITS training, from clip lengths in frames."""
    repeats = upstream_repeats(len(frames))
    whole = batch * world
    borders = zip(_UPSTREAM_BORDERS, _UPSTREAM_BORDERS[1:], strict=False)
    inside = (sum(low < length <= high for length in frames) for low, high in borders)
    return sum(_ceil(count * repeats, whole) for count in inside)


def upstream_repeats(clips: int) -> int:
    """Sets below 100 clips are shown `max(2, floor(100 / n))` times an epoch."""
    return max(2, _UPSTREAM_FEW // clips) if 0 < clips < _UPSTREAM_FEW else 1


def auto_batch(stage: str, clips: int, gpu_memory: int | None, world: int = 1) -> int:
    """Clips per GPU for "auto": half the GPU's GiB, then what the clips allow. None: no GPU."""
    fits = int((gpu_memory / _GIB + 0.4) / 2) if gpu_memory is not None else _CPU_BATCH
    if stage == "sovits" and clips < _SMALL_SET:
        fits = min(fits, _SMALL_SET_BATCH)
    return max(1, min(fits, largest_batch(clips, world)))


def held_out(clips: int) -> int:
    """Clips kept away from training, for validation."""
    return max(2, clips // 10) if clips >= 10 else 0


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
