"""Memory figures every two seconds, with their source; an unknown figure is left out."""

from __future__ import annotations

import threading
from typing import Any

import psutil
import torch

from engine.runtime.device import Device
from engine.runtime.journal import Emit


def figures(device: Device) -> dict[str, Any]:
    """Bytes. `used`/`total` are the gauge: of the GPU, else of the machine's memory.

    `process` is this process's share (GPU: what torch holds), `peak` its highest so far.
    """
    system = psutil.virtual_memory()
    rss = psutil.Process().memory_info().rss
    ram = {"system_used": system.total - system.available, "system_total": system.total}
    if device.kind != "cuda":
        return {
            "source": "psutil", "used": ram["system_used"], "total": ram["system_total"],
            "process": rss, **ram,
        }  # fmt: skip
    free, total = torch.cuda.mem_get_info(device.index)
    return {
        "source": "torch.cuda", "used": total - free, "total": total,
        "process": torch.cuda.memory_reserved(device.index),
        "peak": torch.cuda.max_memory_reserved(device.index),
        "process_rss": rss, **ram,
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
