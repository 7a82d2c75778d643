"""State of all random generators of a process, as one value that a checkpoint can hold."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Seed every generator of the process; `seed` is cut to 32 bits for numpy."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def forked(device: torch.device) -> AbstractContextManager[None]:
    """A context after which torch's generators of the CPU and of `device` are as before.

    Unnamed, all GPUs of the machine would be forked: that wakes each, and takes memory on it.
    """
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def capture() -> dict[str, Any]:
    """The state of every generator, in types `torch.load(weights_only=True)` accepts."""
    version, numbers, gauss = random.getstate()
    legacy: Any = np.random.get_state(legacy=True)
    name, keys, position, has_gauss, cached = legacy
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": [version, list(numbers), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore(state: dict[str, Any]) -> None:
    """Put back what `capture` returned; GPU states only where there are as many GPUs."""
    torch.set_rng_state(state["torch"].cpu())
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    cuda = state.get("cuda", [])
    if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in cuda])
