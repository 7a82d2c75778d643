"""`memory` events with their source; an unknown value is left out.

Memory is looked at every two seconds, and written seldom: live figures come by telemetry, and what
a reader of the events wants to know is how high it went.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psutil
import torch

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.event_pace import EventPace
from sovdeck.engine.runtime.event_writer import Emit
from sovdeck.engine.runtime.nvml import query_gpu


def sample_memory(device: Device) -> dict[str, Any]:
    """The fields of a `memory` event (see sovdeck.engine.contract.events), in bytes.

    The per-process values of the driver are wrong inside most containers, so `gpu_ours` is what
    torch itself has reserved.
    """
    system = psutil.virtual_memory()
    ram = {
        "ram_used": system.total - system.available,
        "ram_total": system.total,
        "process_rss": psutil.Process().memory_info().rss,
    }
    if device.kind != "cuda":
        return {"source": "psutil", **ram}
    uuid = str(torch.cuda.get_device_properties(device.index).uuid)
    return gpu_memory_fields(query_gpu(uuid), torch.cuda, device.index) | ram


def gpu_memory_fields(nvml_fields: dict[str, int] | None, cuda: Any, index: int) -> dict[str, Any]:
    """GPU fields of a `memory` event: of NVML, or of CUDA where NVML gives none, in bytes.

    NVML knows no memory of its own on cards that share the machine's: the rest of its answer stays.
    """
    fields, source = dict(nvml_fields or {}), "nvml"
    if "gpu_total" not in fields:
        free, total = cuda.mem_get_info(index)
        fields |= {"gpu_used": total - free, "gpu_total": total}
        source = "torch.cuda"
    return {
        "source": source,
        **fields,
        "gpu_ours": cuda.memory_reserved(index),
        "gpu_peak": cuda.max_memory_reserved(index),
    }


# The first minute of samples is written whole, then one a minute.
_ALL_SAMPLES, _SAMPLE_INTERVAL_S = 30, 60.0
_RISE = 0.01  # of the total: a new height above the last written one that is written at once
_TOTALS = {"ram_used": "ram_total", "process_rss": "ram_total"}
_TOTALS |= dict.fromkeys(("gpu_used", "gpu_ours", "gpu_peak"), "gpu_total")


class MemoryPeaks:
    """The highest value of each field: since the last written event, and of all written ones."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        self._since: dict[str, int] = {}

    def add(self, sample: Mapping[str, Any]) -> bool:
        """Take a sample; whether a field rose well above all that was written."""
        rose = False
        for name, total in _TOTALS.items():
            value = sample.get(name)
            if value is None:
                continue
            self._since[name] = max(value, self._since.get(name, 0))
            margin = _RISE * sample.get(total, 0)
            rose = rose or value > self._written.get(name, 0) + margin
        return rose

    def take(self) -> dict[str, int]:
        """The highest values since the last call, which count as written."""
        highest, self._since = self._since, {}
        for name, value in highest.items():
            self._written[name] = max(value, self._written.get(name, 0))
        return highest


class MemorySampler:
    """Context manager that samples memory every `seconds` from a thread and emits what counts."""

    def __init__(
        self,
        emit: Emit,
        device: Device,
        seconds: float = 2.0,
        sample: Callable[[Device], dict[str, Any]] = sample_memory,
    ) -> None:
        self._emit = emit
        self._device = device
        self._seconds = seconds
        self._sample = sample
        self._pace = EventPace(_ALL_SAMPLES, _SAMPLE_INTERVAL_S)
        self._peaks = MemoryPeaks()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> MemorySampler:
        self._look(forced=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        self._look(forced=True)

    def _run(self) -> None:
        with suppress(Problem):  # the training itself meets it at its next event
            while not self._closed.wait(self._seconds):
                self._look(forced=False)

    def _look(self, *, forced: bool) -> None:
        sample = self._sample(self._device)
        rose = self._peaks.add(sample)
        if self._pace.is_due(forced=forced or rose):
            self._emit("memory", **sample, highest=self._peaks.take())
