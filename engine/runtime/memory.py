"""Memory figures every two seconds, with their source; an unknown figure is left out."""

from __future__ import annotations

import threading
from typing import Any

import psutil
import torch

from engine.runtime.device import Device
from engine.runtime.journal import Emit
from engine.runtime.nvml import gpu_figures


def figures(device: Device) -> dict[str, Any]:
    """The fields of a `memory` event (see engine.contract.events), in bytes.

    Per-process figures of the driver are wrong inside most containers, so `gpu_ours` is what
    torch itself holds.
    """
    system = psutil.virtual_memory()
    ram = {
        "ram_used": system.total - system.available, "ram_total": system.total,
        "process_rss": psutil.Process().memory_info().rss,
    }  # fmt: skip
    if device.kind != "cuda":
        return {"source": "psutil", **ram}
    uuid = str(torch.cuda.get_device_properties(device.index).uuid)
    return gpu_event(gpu_figures(uuid), torch.cuda, device.index) | ram


def gpu_event(driver: dict[str, int] | None, cuda: Any, index: int) -> dict[str, Any]:
    """The driver's view of the card, or CUDA's own where the driver says nothing; ours beside."""
    if driver is None:
        free, total = cuda.mem_get_info(index)
        driver, source = {"gpu_used": total - free, "gpu_total": total}, "torch.cuda"
    else:
        source = "nvml"
    return {
        "source": source, **driver,
        "gpu_ours": cuda.memory_reserved(index), "gpu_peak": cuda.max_memory_reserved(index),
    }  # fmt: skip


class MemoryWatch:
    """Emits `memory` events from a thread while it is open."""

    def __init__(self, emit: Emit, device: Device, seconds: float = 2.0) -> None:
        self._emit = emit
        self._device = device
        self._seconds = seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._emit("memory", **figures(self._device))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._emit("memory", **figures(self._device))

    def _watch(self) -> None:
        while not self._done.wait(self._seconds):
            self._emit("memory", **figures(self._device))
