"""One GPU's figures from the driver itself, through NVML (module pynvml of nvidia-ml-py).

Keyed by UUID: CUDA numbers the fastest card first, NVML goes by the bus. A figure the driver
will not give is left out. No driver at all is None, and so is a library that does not load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def gpu_figures(uuid: str, library: Any = None) -> dict[str, int] | None:
    """Bytes, percent and degrees Celsius of the GPU with this UUID (with or without "GPU-")."""
    if library is None:
        import pynvml

        library = pynvml
    name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
    try:
        library.nvmlInit()
    except library.NVMLError:
        return None
    try:
        handle = library.nvmlDeviceGetHandleByUUID(name.encode())
        found: dict[str, int] = {}
        memory = _asked(library, lambda: library.nvmlDeviceGetMemoryInfo(handle))
        if memory is not None:
            found |= {"gpu_used": int(memory.used), "gpu_total": int(memory.total)}
        rates = _asked(library, lambda: library.nvmlDeviceGetUtilizationRates(handle))
        if rates is not None:
            found["gpu_utilisation"] = int(rates.gpu)
        heat = _asked(
            library,
            lambda: library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU),
        )
        if heat is not None:
            found["gpu_temperature"] = int(heat)
        return found or None
    except library.NVMLError:
        return None
    finally:
        library.nvmlShutdown()


def gpu_count(library: Any = None) -> int:
    """GPUs the driver knows, whatever CUDA_VISIBLE_DEVICES says; 0 where it says nothing."""
    if library is None:
        import pynvml

        library = pynvml
    try:
        library.nvmlInit()
    except library.NVMLError:
        return 0
    try:
        return int(_asked(library, library.nvmlDeviceGetCount) or 0)
    finally:
        library.nvmlShutdown()


def _asked(library: Any, question: Callable[[], Any]) -> Any:
    # MIG slices and unified memory answer some questions with "not supported" (remote.md 3).
    try:
        return question()
    except library.NVMLError:
        return None
