"""Memory, utilisation and temperature of one GPU through NVML (pynvml of nvidia-ml-py).

Keyed by UUID: CUDA numbers the fastest GPU first, NVML goes by the bus. A value the driver
does not give is left out. Without a driver, or when the library does not load: None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def query_gpu(uuid: str, library: Any = None) -> dict[str, int] | None:
    """Bytes, percent and degrees Celsius of the GPU with this UUID (with or without "GPU-").

    Keys are those of a `memory` event: gpu_used, gpu_total, gpu_utilisation, gpu_temperature.
    """
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
        memory = _query_or_none(library, lambda: library.nvmlDeviceGetMemoryInfo(handle))
        if memory is not None:
            found |= {"gpu_used": int(memory.used), "gpu_total": int(memory.total)}
        utilisation = _query_or_none(library, lambda: library.nvmlDeviceGetUtilizationRates(handle))
        if utilisation is not None:
            found["gpu_utilisation"] = int(utilisation.gpu)
        temperature = _query_or_none(
            library,
            lambda: library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU),
        )
        if temperature is not None:
            found["gpu_temperature"] = int(temperature)
        return found or None
    except library.NVMLError:
        return None
    finally:
        library.nvmlShutdown()


def count_gpus(library: Any = None) -> int:
    """Number of GPUs the driver knows, whatever CUDA_VISIBLE_DEVICES holds; 0 when unknown."""
    if library is None:
        import pynvml

        library = pynvml
    try:
        library.nvmlInit()
    except library.NVMLError:
        return 0
    try:
        return int(_query_or_none(library, library.nvmlDeviceGetCount) or 0)
    finally:
        library.nvmlShutdown()


def driver_version(library: Any = None) -> str | None:
    """The version of NVIDIA's driver; None when unknown."""
    if library is None:
        import pynvml

        library = pynvml
    try:
        library.nvmlInit()
    except library.NVMLError:
        return None
    try:
        version = _query_or_none(library, library.nvmlSystemGetDriverVersion)
        return version.decode() if isinstance(version, bytes) else version
    finally:
        library.nvmlShutdown()


def _query_or_none(library: Any, query: Callable[[], Any]) -> Any:
    # MIG slices and unified memory answer some questions with "not supported" (remote.md 3).
    try:
        return query()
    except library.NVMLError:
        return None
