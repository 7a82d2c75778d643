"""What the check in the deployed environment found, and whether that is ready. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.deploy.steps import CheckEngine
from sovdeck.remote.ssh.remote_tail import clean_line

# What torch says when it cannot use a GPU, and the sentence for it; the first match wins.
_REASONS = tuple(
    (re.compile(pattern, re.IGNORECASE), key)
    for pattern, key in (
        (r"not compiled with CUDA", "remote.ready.cpu_build"),
        (r"driver on your system is too old|driver version is insufficient", "remote.ready.driver"),
        (r"no kernel image", "remote.ready.no_kernels"),
        (r"forward compatibility|error 804", "remote.ready.forward_compat"),
        (r"out of memory", "remote.ready.full"),
        (r"busy or unavailable|in exclusive", "remote.ready.busy"),
        (r"No CUDA GPUs are available|no CUDA-capable device", "remote.ready.hidden"),
    )
)


@dataclass(frozen=True)
class GpuCheck:
    """torch's version and what CUDA it was built for; the GPU that computed, "" for none; why."""

    torch: str = ""
    cuda: str = ""
    gpu: str = ""
    capability: float = 0.0
    bf16: bool = False
    fp16: bool = False
    error: str = ""

    def summary(self) -> str:
        """Return one line of names and numbers, the same in every language."""
        parts = [f"torch {self.torch}"]
        if self.gpu:
            formats = ["fp32", *(["fp16"] if self.fp16 else []), *(["bf16"] if self.bf16 else [])]
            parts += [f"{self.gpu} ({self.capability:.1f})", " ".join(formats)]
        return " · ".join(parts)


def parse_check(line: str) -> GpuCheck:
    """Read the check's JSON; what is missing or of another type stays empty."""
    try:
        raw: Any = parse_json(line)
        names = GpuCheck.__dataclass_fields__
        empty = GpuCheck()
        known = {k: v for k, v in raw.items() if k in names and type(v) is type(getattr(empty, k))}
    except (ValueError, AttributeError):
        return GpuCheck(error=clean_line(line.encode())[:200])
    return GpuCheck(**known)


def judge(check: GpuCheck, action: CheckEngine, server: str) -> None:
    """Raise the Problem of a GPU that nvidia-smi shows and torch cannot use.

    Where nvidia-smi shows none there is nothing to try, and that is no fault: some providers lend
    their servers without the GPU for preparing.
    """
    if check.gpu or not action.gpus:
        return
    key = next(
        (key for pattern, key in _REASONS if pattern.search(check.error)), "remote.ready.no_gpu"
    )
    raise Problem(
        key,
        ExitCode.CONFIG,
        server=server,
        torch=check.torch or "?",
        why=clean_line(check.error.encode())[:200] or "-",
    )
