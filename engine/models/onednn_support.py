"""Which of oneDNN's kernels for prepared weights this processor has."""

from __future__ import annotations

import platform

import torch


def has_onednn_kernels(dtype: torch.dtype) -> bool:
    """Whether layers may be packed for oneDNN in this format: an x86 processor with the kernels.

    Elsewhere torch's own operators serve; on ARM they are the quicker ones.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
