"""How a GPU may round and in which order it may sum, chosen once for a training process."""

from __future__ import annotations

import os

import torch

# cuBLAS sums in one order only with a workspace of a fixed size, read when CUDA starts.
_WORKSPACE_VARIABLE, _WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"


def prepare_determinism(deterministic: bool) -> None:
    """Set what CUDA's libraries read when they start; call before CUDA does."""
    if deterministic:
        os.environ.setdefault(_WORKSPACE_VARIABLE, _WORKSPACE)


def set_arithmetic(deterministic: bool) -> None:
    """Choose the kernels of products, convolutions and sums for the whole process.

    By default float32 products and convolutions of training may use TF32, which rounds factors
    to the mantissa of fp16; where tokens are chosen it is switched off on the spot.
    deterministic: no TF32, and of each operation the kernel that repeats itself. The two that
    have none, reflection padding and a cumulative sum, go on with a warning of torch's.
    """
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    torch.backends.cudnn.allow_tf32 = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    # Clips differ in length, and trying every kernel anew for each length costs more than it wins.
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
