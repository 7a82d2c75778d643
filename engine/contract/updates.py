"""How many optimiser updates an epoch has, before anything runs. Pure arithmetic.

The same counts as the trainer's own batch schedule (a test holds them equal), here so that
the laptop shows them beside the batch size while it is typed.
"""

from __future__ import annotations

from collections.abc import Sequence

MIN_UPDATES = 4
MAX_CLIP_REPEATS = 2  # times the `fixed` schedule may show a clip in one pass
GPT_ACCUMULATION_STEPS = 4

_GIB = 1 << 30
_CPU_BATCH = 4
_SMALL_DATASET_CLIPS, _SMALL_SET_BATCH = 300, 12
_UPSTREAM_SMALL_DATASET = 100
_UPSTREAM_BUCKET_BORDERS = (32, *range(300, 2000, 100))  # frames of 20 ms


def fixed_updates_per_epoch(
    clips: int,
    batch: int,
    world_size: int = 1,
    accumulation_steps: int = 1,
    repeats: int = 1,
) -> int:
    """Updates an epoch of the `fixed` schedule; 0 when there are no clips.

    `repeats` is how often an epoch shows the whole set.
    """
    if clips == 0:
        return 0
    global_batch = batch * world_size
    items = clips * repeats
    need = max(MIN_UPDATES * global_batch - items, -items % global_batch)
    batches = _ceil_divide(items + min(need, clips * (MAX_CLIP_REPEATS - 1)), global_batch)
    return min(batches, max(MIN_UPDATES, _ceil_divide(batches, accumulation_steps)))


def fixed_repeats(clips: int, wanted: int | str = "auto") -> int:
    """How often an epoch of the `fixed` schedule shows each clip it trains on.

    `clips` counts the held-out ones as well. "auto" gives a small set what GPT-SoVITS would show
    in an epoch, which holds none out; an epoch then means what its advice means.
    """
    if wanted != "auto":
        return int(wanted)
    if not 0 < clips < _UPSTREAM_SMALL_DATASET:
        return 1
    return max(2, _ceil_divide(_UPSTREAM_SMALL_DATASET, clips - held_out_clips(clips)))


def max_batch_size(clips: int, world_size: int = 1) -> int:
    """The largest batch per GPU that still gives four updates an epoch; 0 when none does."""
    if clips * MAX_CLIP_REPEATS < MIN_UPDATES * world_size:
        return 0
    return max(1, (clips - 1) // (MIN_UPDATES - 1) // world_size)


def upstream_gpt_updates_per_epoch(clips: int, batch: int, world_size: int = 1) -> int:
    """Updates an epoch of GPT-SoVITS's own GPT training, which may be none (SPEC 5.5, 5.6)."""
    if clips == 0:
        return 0
    items = clips * upstream_repeats(clips)
    global_batch = max(min(batch, items // 4), 1) * world_size
    return (_ceil_divide(items, global_batch) - 1) // GPT_ACCUMULATION_STEPS


def upstream_sovits_updates_per_epoch(
    frames: Sequence[int], batch: int, world_size: int = 1
) -> int:
    """Updates an epoch of GPT-SoVITS's own SoVITS training, from clip lengths in frames."""
    repeats = upstream_repeats(len(frames))
    global_batch = batch * world_size
    borders = zip(_UPSTREAM_BUCKET_BORDERS, _UPSTREAM_BUCKET_BORDERS[1:], strict=False)
    inside = (sum(low < length <= high for length in frames) for low, high in borders)
    return sum(_ceil_divide(count * repeats, global_batch) for count in inside)


def upstream_repeats(clips: int) -> int:
    """Sets below 100 clips are shown `max(2, floor(100 / n))` times an epoch."""
    return max(2, _UPSTREAM_SMALL_DATASET // clips) if 0 < clips < _UPSTREAM_SMALL_DATASET else 1


def auto_batch_size(stage: str, clips: int, gpu_memory: int | None, world_size: int = 1) -> int:
    """Clips per GPU for "auto": half the GPU's GiB, then what the clips allow. None: no GPU."""
    fits = int((gpu_memory / _GIB + 0.4) / 2) if gpu_memory is not None else _CPU_BATCH
    if stage == "sovits" and clips < _SMALL_DATASET_CLIPS:
        fits = min(fits, _SMALL_SET_BATCH)
    return max(1, min(fits, max_batch_size(clips, world_size)))


def held_out_clips(clips: int) -> int:
    """Clips kept away from training, for validation: the smaller the set, the smaller the share.

    A tenth from 100 clips on, a twentieth below, at least one from ten on; each of fewer clips
    is needed for training.
    """
    if clips >= _UPSTREAM_SMALL_DATASET:
        return clips // 10
    return max(1, clips // 20) if clips >= 10 else 0


def _ceil_divide(number: int, divisor: int) -> int:
    return -(-number // divisor)
