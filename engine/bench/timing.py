"""Seconds of a piece of work, the device's part included, and the most memory it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import psutil
import torch

from sovdeck.engine.runtime.device import Device


class Stopwatch:
    """Times work on one device: a warm-up, then the median of `repeat` runs."""

    def __init__(self, device: Device, repeat: int) -> None:
        self._device = device
        self._repeat = repeat
        self.peak_bytes = 0

    def seconds(self, work: Callable[[], object]) -> float:
        """Median seconds of `work`; `peak_bytes` is then the most that was allocated."""
        on_gpu = self._device.kind == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(self._device.torch_device)
        work()
        taken = []
        for _ in range(self._repeat):
            self._synchronize()
            started = time.perf_counter()
            work()
            self._synchronize()
            taken.append(time.perf_counter() - started)
        self.peak_bytes = (
            torch.cuda.max_memory_reserved(self._device.torch_device)
            if on_gpu
            else psutil.Process().memory_info().rss
        )
        return statistics.median(taken)

    def _synchronize(self) -> None:
        if self._device.kind == "cuda":
            torch.cuda.synchronize(self._device.torch_device)
