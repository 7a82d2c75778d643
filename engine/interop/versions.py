"""Telling GPT-SoVITS versions apart, by what a file says and holds (never by its size alone)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

V2_BASE_MD5 = "6642b37f3dbb1f76882b69937c95a5f3"  # of the first 8192 bytes of s2G2333k.pth

# Later versions overwrite the first two bytes of the zip with these.
_MARKS = {
    "00": "v1", "01": "v2", "02": "v3", "03": "v3 LoRA", "04": "v4 LoRA", "05": "v2Pro",
    "06": "v2ProPlus",
}  # fmt: skip
_NAMED = {"v3": "v3", "v4": "v4", "v2pro": "v2Pro", "v2proplus": "v2ProPlus"}
_PHONES = {322: "v1", 732: "v2"}
EMBEDDING = "enc_p.text_embedding.weight"

# Upstream's own quick test of a plain archive: smaller is v1, up to 700 MiB is v2.
V2_SMALLEST = 82978 * 1024
V2_LARGEST = 700 << 20


def version_of_mark(mark: str) -> str | None:
    """The version that the first two bytes name; None for a plain zip ("PK")."""
    if mark == "PK":
        return None
    return _MARKS.get(mark, f"unknown ({mark})")


def version_of(
    mark: str, content: Mapping[str, Any], state: Mapping[str, Tensor], size: int
) -> str:
    """The version of a SoVITS weight of `size` bytes, or "unknown"; `content` is all it holds."""
    if (named := version_of_mark(mark)) is not None:
        return named
    if "lora_rank" in content:
        return "v3 or v4 LoRA"
    config = content.get("config")
    config = config if isinstance(config, Mapping) else {}
    model = config.get("model")
    said = [config.get("version"), model.get("version") if isinstance(model, Mapping) else None]
    for name in said:
        if isinstance(name, str) and name.lower() in _NAMED:
            return _NAMED[name.lower()]
    embedding = state.get(EMBEDDING)
    if embedding is None or embedding.dim() != 2:
        return "unknown"
    if size >= V2_LARGEST:
        return "v3"
    return _PHONES.get(embedding.shape[0], "unknown")


def version_by_size(size: int) -> str:
    """What upstream's quick test takes a plain archive of `size` bytes for."""
    if size < V2_SMALLEST:
        return "v1"
    return "v2" if size < V2_LARGEST else "v3"
