"""Detection of out-of-memory errors, of CUDA, its libraries and the CPU's allocator.

Sources: torch 2.11's driver_api.h and AcceleratorError, cuDNN 9's cudnn_graph.h, cuFFT and NCCL as
their users reported them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

# What nothing but a lack of memory says.
_CERTAIN = (
    "can't allocate memory",  # the CPU's allocator
    "CUDA error: out of memory",  # outside torch's own allocator: pinned memory, a context
    "CUDA driver error: out of memory",  # expandable segments
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",  # cuDNN 8
    "DEVICE_ALLOCATION_FAILED",  # cuDNN 9
    "HOST_ALLOCATION_FAILED",
    "CUFFT_ALLOC_FAILED",
    "Cuda failure 'out of memory'",  # NCCL
    "Failed to CUDA calloc",
)
# What libraries say when memory is short, and in other distress too.
_AMBIGUOUS = (
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "unable to find an engine to execute this computation",
    "Unable to find a valid cuDNN algorithm",
    "CUFFT_INTERNAL_ERROR",
    "CUDA driver error: device not ready",
    'INTERNAL ASSERT FAILED at "../c10/cuda/CUDACachingAllocator',
)
_SHORT_SHARE = 0.05
_SHORT_BYTES = 512 << 20


def is_out_of_memory(
    error: BaseException, free_memory: Callable[[], tuple[int, int]] | None = None
) -> bool:
    """True for torch.OutOfMemoryError and for the RuntimeErrors that mean the same.

    Some errors of CUDA's libraries may mean something else: they count while the GPU has less than
    512 MiB or a twentieth of its memory free. free_memory: (free, total) bytes of the GPU; by
    default what CUDA says of the current one.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    message = str(error)
    if any(part in message for part in _CERTAIN):
        return True
    if not any(part in message for part in _AMBIGUOUS):
        return False
    free, total = (free_memory or _free_gpu_memory)()
    return free < max(_SHORT_BYTES, _SHORT_SHARE * total)


def _free_gpu_memory() -> tuple[int, int]:
    """(free, total) bytes of the current GPU, what torch holds unused counted as free."""
    free, total = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated(), total
