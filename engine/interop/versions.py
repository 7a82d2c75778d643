"""Telling GPT-SoVITS versions apart: by what a file's tensors are, not by what it says.

Labels (the first two bytes, the configuration) and sizes are wrong often enough: a v2Pro file
without its label would pass for v2 and fail while speaking. They are asked only where the
tensors leave a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sovdeck.engine.contract.problem import ExitCode, Problem

# md5 of the first 8192 bytes of each official generator.
OFFICIAL_BASES = {
    "dc3c97e17592963677a4a1681f30c653": "v1",
    "6642b37f3dbb1f76882b69937c95a5f3": "v2",
    "c7e9fce2223f3db685cdfa1e6368728a": "v2Pro",
    "66b313e39455b57ab1b0bc0b239c9d0a": "v2ProPlus",
    "43797be674a37c1c83ee81081941ed0f": "v3",
    "4f26b9476d0c5033e04162c486074374": "v4",
}

# Later versions overwrite the first two bytes of the zip with these.
_VERSION_BY_MAGIC = {
    "00": "v1",
    "01": "v2",
    "02": "v3",
    "03": "v3 LoRA",
    "04": "v4 LoRA",
    "05": "v2Pro",
    "06": "v2ProPlus",
}
# What a small weight of a version must begin with, so that upstream knows it.
WRITTEN_MAGIC = {"v2Pro": b"05", "v2ProPlus": b"06"}
_VERSION_BY_NAME = {"v3": "v3", "v4": "v4", "v2pro": "v2Pro", "v2proplus": "v2ProPlus"}
_VERSION_BY_PHONES = {322: "v1", 732: "v2"}
_PLUS_WIDTH = 768
_DIFFUSION = ("cfm.", "bridge.", "wns1.", "linear_mel.")  # parts of v3 and v4 alone
TEXT_EMBEDDING_KEY = "enc_p.text_embedding.weight"
SPEAKER = "sv_emb.weight"
_DECODER = "dec.conv_pre.weight"
_SEVENTH_JUDGE = "discriminators.6."

# Upstream's own quick test of a plain archive: smaller is v1, up to 700 MiB is v2.
V2_MIN_BYTES = 82978 * 1024
V2_MAX_BYTES = 700 << 20


def version_from_magic(magic: str) -> str | None:
    """The version for the first two bytes; None for a plain zip ("PK")."""
    if magic == "PK":
        return None
    return _VERSION_BY_MAGIC.get(magic, f"unknown ({magic})")


def detect_version(
    magic: str, content: Mapping[str, Any], state: Mapping[str, Tensor], head_md5: str = ""
) -> str:
    """The version of a SoVITS generator, or "unknown".

    `magic` are its first two bytes, `content` is all it holds, `state` its tensors, `head_md5`
    the digest that tells an official base.
    """
    labels = _labels(magic, content)
    if head_md5 in OFFICIAL_BASES:
        labels.insert(0, OFFICIAL_BASES[head_md5])
    if "lora_rank" in content or any(".lora_" in name for name in state):
        return next((label for label in labels if "LoRA" in label), "v3 or v4 LoRA")
    if any(name.startswith(_DIFFUSION) for name in state):
        return next((label for label in labels if label in ("v3", "v4")), "v3 or v4")
    if SPEAKER in state:
        return _pro_version(state, labels)
    embedding = state.get(TEXT_EMBEDDING_KEY)
    if embedding is None or embedding.dim() != 2:
        return labels[0] if labels else "unknown"
    return _VERSION_BY_PHONES.get(embedding.shape[0], "unknown")


def version_of_discriminator(state: Mapping[str, Tensor]) -> str:
    """v2 for six networks (v1 has the same), v2Pro for eight (v2ProPlus has the same)."""
    return "v2Pro" if any(name.startswith(_SEVENTH_JUDGE) for name in state) else "v2"


def version_from_size(size: int) -> str:
    """The version that upstream's quick test finds for a plain archive of `size` bytes."""
    if size < V2_MIN_BYTES:
        return "v1"
    return "v2" if size < V2_MAX_BYTES else "v3"


def other_version(path: Path, version: str) -> Problem:
    """What to say of a file whose network this engine does not run."""
    if version in ("v1", "v3", "v4"):
        key = f"engine.weights.version_{version}"
    elif "LoRA" in version:
        key = "engine.weights.version_lora"
    else:
        key = "engine.weights.version_" + ("v3_or_v4" if version == "v3 or v4" else "unknown")
    return Problem(key, ExitCode.DATA, path=str(path), version=version)


def _pro_version(state: Mapping[str, Tensor], labels: list[str]) -> str:
    """v2ProPlus has the wider decoder; of a network of another size the labels tell."""
    decoder = state.get(_DECODER)
    width = 0 if decoder is None or decoder.dim() == 0 else decoder.shape[0]
    if width in (512, _PLUS_WIDTH):
        return "v2ProPlus" if width == _PLUS_WIDTH else "v2Pro"
    return next((label for label in labels if label in WRITTEN_MAGIC), "v2Pro")


def _labels(magic: str, content: Mapping[str, Any]) -> list[str]:
    """What the file says of itself: by its first bytes, then by its configuration."""
    named = version_from_magic(magic)
    labels = [] if named is None else [named]
    config = content.get("config")
    config = config if isinstance(config, Mapping) else {}
    model = config.get("model")
    for name in (
        config.get("version"),
        model.get("version") if isinstance(model, Mapping) else None,
    ):
        if isinstance(name, str) and name.lower() in _VERSION_BY_NAME:
            labels.append(_VERSION_BY_NAME[name.lower()])
    return labels
