"""Tells whether a freshly deployed engine loads and torch computes on the GPU.

`python -m sovdeck.engine.runtime.check_gpu` prints one JSON object as its last line: torch, cuda
(what torch was built for), gpu ("" without one that computed), capability, bf16, fp16, error.
Imports that fail end it with Python's own message.
"""

from __future__ import annotations

import importlib
import json
import signal

import torch

_LIMIT_S = 200  # a driver that never answers ends this process
_NEEDED = ("numpy", "torchaudio", "sovdeck.engine.contract.spec")
_FP16_FROM, _BF16_FROM = 7.0, 8.0  # capabilities that compute in them at full speed


def main() -> None:
    """Import what a run needs, try the GPU, print what was found."""
    signal.alarm(_LIMIT_S)
    for module in _NEEDED:
        importlib.import_module(module)
    print(json.dumps(check_gpu()))


def check_gpu() -> dict[str, object]:
    """Run a matrix product and a convolution on the first GPU, in every format it is made for."""
    found: dict[str, object] = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "gpu": "",
        "capability": 0.0,
        "bf16": False,
        "fp16": False,
        "error": "",
    }
    try:
        # It says why it cannot; is_available() only says that it cannot.
        torch.cuda.init()
        properties = torch.cuda.get_device_properties(0)
        capability = float(f"{properties.major}.{properties.minor}")
        _compute(torch.float32)
        if capability >= _FP16_FROM:
            _compute(torch.float16)
            found["fp16"] = True
        if capability >= _BF16_FROM:
            _compute(torch.bfloat16)
            found["bf16"] = True
        found["gpu"], found["capability"] = properties.name, capability
    except (RuntimeError, AssertionError) as error:
        found["error"] = f"{type(error).__name__}: {error}"[:600]
    return found


def _compute(dtype: torch.dtype) -> None:
    matrix = torch.arange(64, dtype=torch.float32).reshape(8, 8) / 64
    on_gpu = matrix.to("cuda", dtype)
    product = (on_gpu @ on_gpu).float().cpu()
    wave = torch.ones(1, 1, 16, device="cuda", dtype=dtype)
    kernel = torch.ones(1, 1, 3, device="cuda", dtype=dtype)
    sums = torch.nn.functional.conv1d(wave, kernel).float().cpu()
    if not torch.allclose(product, matrix @ matrix, atol=0.1) or float(sums[0, 0, 0]) != 3.0:
        raise RuntimeError("the GPU computed something else than the CPU")


if __name__ == "__main__":
    main()
