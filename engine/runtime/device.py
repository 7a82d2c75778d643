"""Which device trains, and in which number format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from engine.contract.problem import ExitCode, Problem

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True)
class Device:
    """`kind` is "cuda" or "cpu"; `memory_total` in bytes, of the GPU or of the machine."""

    kind: str
    name: str
    memory_total: int
    index: int = 0

    @property
    def torch(self) -> torch.device:
        return torch.device(f"cuda:{self.index}" if self.kind == "cuda" else self.kind)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "memory_total": self.memory_total}


def limit_gpus(numbers: str, environment: dict[str, str] | None = None) -> tuple[int, ...]:
    """Let the process see only the GPUs of `train.gpus` ("0-1"); call before CUDA starts."""
    chosen = tuple(int(n) for n in numbers.split("-"))
    target = os.environ if environment is None else environment
    # A scheduler's own limit wins: its numbers are what our numbers count in.
    outer = target.get("CUDA_VISIBLE_DEVICES")
    if outer:
        visible = outer.split(",")
        if max(chosen) >= len(visible):
            raise Problem(
                "engine.run.no_such_gpu", ExitCode.CONFIG, gpus=numbers, count=len(visible)
            )
        target["CUDA_VISIBLE_DEVICES"] = ",".join(visible[n] for n in chosen)
    else:
        target["CUDA_VISIBLE_DEVICES"] = ",".join(str(n) for n in chosen)
    return chosen


def require_gpus(numbers: str, visible: int, installed: int) -> None:
    """Problem when a GPU of `train.gpus` is not there.

    CUDA leaves such a number out without a word, and the run would train on the CPU. `visible`
    is what torch counts after `limit_gpus`, `installed` what the driver does (0: it says nothing).
    """
    if installed and visible < len(numbers.split("-")):
        raise Problem("engine.run.no_such_gpu", ExitCode.CONFIG, gpus=numbers, count=installed)


def choose(wanted: str, index: int = 0) -> Device:
    """`wanted` is train.device: auto, cuda or cpu. Problem when cuda is asked for in vain."""
    if wanted != "cpu" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(index)
        return Device("cuda", properties.name, properties.total_memory, index)
    if wanted == "cuda":
        raise Problem("engine.run.no_cuda", ExitCode.CONFIG, torch=torch.__version__)
    return Device("cpu", f"CPU, {os.cpu_count()} cores", psutil.virtual_memory().total)


@dataclass(frozen=True)
class Precision:
    """A number format for matrix products; sums and losses stay float32."""

    name: str
    kind: str

    @property
    def scaled(self) -> bool:
        """fp16 gradients underflow without loss scaling."""
        return self.name == "fp16"

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.kind, _TYPES[self.name], enabled=self.name != "fp32")


def choose_precision(wanted: str, device: Device) -> Precision:
    """auto: bf16 where the GPU computes it, else fp16 from Volta on, else fp32. CPU: fp32."""
    if wanted != "auto":
        return Precision(wanted, device.kind)
    if device.kind == "cpu":
        return Precision("fp32", "cpu")
    major, minor = torch.cuda.get_device_capability(device.index)
    return Precision(_best_format((major, minor), device.name), "cuda")


def _best_format(capability: tuple[int, int], name: str) -> str:
    if capability >= (8, 0):
        return "bf16"
    # GTX 16xx cards compute NaN in half precision (compat SPEC 8).
    return "fp16" if capability >= (7, 0) and "GTX 16" not in name else "fp32"


def environment_for(gpus: tuple[int, ...], base: Mapping[str, str]) -> dict[str, str]:
    """The environment of worker processes on `gpus`."""
    return {**base, "CUDA_VISIBLE_DEVICES": ",".join(str(n) for n in gpus)}
