"""What a measurement must say about the machine it was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.nvml import driver_version


def describe_machine(device: Device) -> dict[str, Any]:
    """Names and versions: device, driver, torch and its libraries, processor. Sizes in bytes."""
    found: dict[str, Any] = {
        "device": device.name,
        "device_kind": device.kind,
        "memory_total": device.memory_total,
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.kind == "cuda":
        major, minor = torch.cuda.get_device_capability(device.index)
        found |= {
            "driver": driver_version(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "nccl": ".".join(map(str, torch.cuda.nccl.version())),
            "capability": f"{major}.{minor}",
        }
    return found


def _cpu_name() -> str:
    """The processor's model where Linux tells it, else its architecture."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "Hardware"):
                    return value.strip()
    except FileNotFoundError:
        pass
    return platform.processor() or platform.machine()
