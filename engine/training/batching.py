"""How many clips go into a batch when the person leaves it to us."""

from __future__ import annotations

from engine.runtime.device import Device
from engine.training.order import largest_batch

_GIB = 1 << 30
_CPU_BATCH = 4
_SMALL_SET, _SMALL_SET_BATCH = 300, 12


def auto_batch(stage: str, clips: int, device: Device, world: int = 1) -> int:
    """Clips per GPU: half the GPU's GiB as upstream, then what the clips allow.

    A batch never leaves an epoch with fewer than four updates; SoVITS takes at most 12 below
    300 clips, where a larger batch repeats clips of rare length.
    """
    fits = int((device.memory_total / _GIB + 0.4) / 2) if device.kind == "cuda" else _CPU_BATCH
    if stage == "sovits" and clips < _SMALL_SET:
        fits = min(fits, _SMALL_SET_BATCH)
    return max(1, min(fits, largest_batch(clips, world)))
