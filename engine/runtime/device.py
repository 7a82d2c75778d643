"""Which device trains, and in which number format."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.nvml import count_gpus

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclass(frozen=True)
class Device:
    """`kind` is "cuda" or "cpu"; `memory_total` in bytes, of the GPU or of the machine."""

    kind: str
    name: str
    memory_total: int
    index: int = 0

    @property
    def torch_device(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(f"cuda:{self.index}" if self.kind == "cuda" else self.kind)

    def as_json(self) -> dict[str, Any]:
        """The `device` field of a `run_started` event."""
        return {"kind": self.kind, "name": self.name, "memory_total": self.memory_total}


def set_visible_gpus(numbers: str, environment: dict[str, str] | None = None) -> tuple[int, ...]:
    """Let the process see only the GPUs of `train.gpus` ("0-1"); call before CUDA starts."""
    chosen = tuple(int(n) for n in numbers.split("-"))
    target = os.environ if environment is None else environment
    # A scheduler's own limit comes first: our numbers index into its list.
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


def check_gpus_exist(numbers: str, visible: int, installed: int) -> None:
    """Raise Problem when a GPU of `train.gpus` does not exist.

    CUDA silently ignores such a number, and the run would train on the CPU. `visible` is the
    number of GPUs torch finds after `set_visible_gpus`, `installed` that of the driver (0: not
    known).
    """
    if installed and visible < len(numbers.split("-")):
        raise Problem("engine.run.no_such_gpu", ExitCode.CONFIG, gpus=numbers, count=installed)


def refuse_unseen_gpu(wanted: str, problem_key: str) -> None:
    """Raise Problem for a GPU that the driver knows and torch cannot use.

    `wanted` "auto" would silently take the CPU then, which is a hundred times slower.
    """
    installed = count_gpus() if wanted == "auto" else 0
    if installed and not torch.cuda.is_available():
        raise Problem(problem_key, ExitCode.CONFIG, count=installed)


def choose_device(wanted: str, index: int = 0) -> Device:
    """The device for `train.device` (auto, cuda or cpu); Problem for cuda where there is none."""
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
    device_kind: str

    @property
    def needs_loss_scaling(self) -> bool:
        """True for fp16, whose gradients underflow without loss scaling."""
        return self.name == "fp16"

    def autocast(self) -> AbstractContextManager[Any]:
        """A context in which matrix products use this format; fp32 changes nothing."""
        return torch.autocast(self.device_kind, _DTYPES[self.name], enabled=self.name != "fp32")


def choose_precision(wanted: str, device: Device) -> Precision:
    """The format for `train.precision`: for auto bf16 or else fp16 where the GPU is fast in it.

    bf16 from Ampere on, fp16 from Volta on, fp32 otherwise and on the CPU. Problem for a format
    that the GPU lacks or computes wrongly.
    """
    if device.kind == "cpu":
        return Precision("fp32" if wanted == "auto" else wanted, "cpu")
    major, minor = torch.cuda.get_device_capability(device.index)
    best = best_format((major, minor), device.name)
    # torch emulates bf16 on older cards, where cuDNN has no convolution for it.
    if wanted == "bf16" and best != "bf16" or wanted == "fp16" and best == "fp32":
        raise Problem(
            "engine.run.no_such_format", ExitCode.CONFIG, wanted=wanted, gpu=device.name, best=best
        )
    return Precision(best if wanted == "auto" else wanted, "cuda")


def best_format(capability: tuple[int, int], name: str) -> str:
    """The fastest format that a card of this capability and name computes rightly."""
    if capability >= (8, 0):
        return "bf16"
    # GTX 16xx cards compute NaN in half precision (compat SPEC 8).
    return "fp16" if capability >= (7, 0) and "GTX 16" not in name else "fp32"
