"""Inspection of a weight file without running it: version, epoch, sizes, tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.interop.atomic_export import sidecar_path
from sovdeck.engine.interop.expected_keys import POSTERIOR_PREFIX, Shapes, compare_state_dict
from sovdeck.engine.interop.gpt_file import UPSTREAM_PREFIX, GptWeights, parse_gpt
from sovdeck.engine.interop.safe_load import LoadedFile, safe_load
from sovdeck.engine.interop.sovits_file import SovitsWeights, parse_sovits
from sovdeck.engine.interop.versions import OFFICIAL_BASES, version_from_magic, version_from_size
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.sovits.config import VERSIONS, SovitsConfig

_MAX_LISTED_NAMES = 20


def inspect_weights(path: str | Path) -> dict[str, Any]:
    """Facts about a weight file of any version, as JSON values.

    `family` is "sovits" or "gpt"; `network` is a preset's name or "other"; `runs` says whether
    this engine can use the file. `missing`, `extra` and `reshaped` compare it with a complete
    file of its version (None for other versions); `posterior_left_out` says that all of `enc_q`
    is missing, as it should be in a small file.
    Problem when the file is damaged, asks to run something, or holds no weights.
    """
    loaded = safe_load(path)
    weights = parse_gpt(loaded) if _is_gpt(loaded) else parse_sovits(loaded)
    is_known = weights.version in VERSIONS
    facts: dict[str, Any] = {
        "path": str(loaded.path),
        "bytes": loaded.bytes,
        "sha256": file_sha256(loaded.path),
        "family": "gpt" if isinstance(weights, GptWeights) else "sovits",
        "kind": weights.kind,
        "role": getattr(weights, "role", "generator"),
        "version": weights.version,
        "network": _network_preset(weights) if is_known else None,
        "upstream_takes_it_for": _guess_as_upstream(loaded, weights),
        "official_base": loaded.head_md5 in OFFICIAL_BASES,
        "epoch": weights.epoch,
        "step": weights.step,
        "info": weights.info,
        **_tensor_facts(weights.state),
        **_differences(weights.state, weights.shapes if is_known else None),
        "model": weights.upstream_config.get("model"),
        "note": _read_sidecar(loaded.path),
    }
    strict = facts["family"] == "gpt"
    facts["runs"] = is_known and not facts["not_finite"] and _is_complete(weights, strict)
    return facts


def _network_preset(weights: SovitsWeights | GptWeights) -> str:
    if isinstance(weights, GptWeights):
        sizes: dict[str, Any] = {"v2": GptConfig.v2(), "tiny": GptConfig.tiny()}
    else:
        sizes = {version: SovitsConfig.of(version) for version in VERSIONS}
        sizes |= {"tiny": SovitsConfig.tiny(), "tinyPro": SovitsConfig.tiny_pro()}
    return next((name for name, size in sizes.items() if size == weights.config), "other")


def _is_gpt(loaded: LoadedFile) -> bool:
    names = loaded.tensors("weight")
    return "state_dict" in loaded.content or any(name.startswith(UPSTREAM_PREFIX) for name in names)


def _guess_as_upstream(loaded: LoadedFile, weights: SovitsWeights | GptWeights) -> str | None:
    if isinstance(weights, GptWeights) or weights.kind == "checkpoint":
        return None
    if loaded.magic != "PK":
        return version_from_magic(loaded.magic)
    return OFFICIAL_BASES.get(loaded.head_md5) or version_from_size(loaded.bytes)


def _tensor_facts(state: Mapping[str, Tensor]) -> dict[str, Any]:
    floating = {name: t for name, t in state.items() if t.is_floating_point()}
    return {
        "tensors": len(state),
        "parameters": sum(t.numel() for t in state.values()),
        "dtypes": dict(Counter(str(t.dtype).removeprefix("torch.") for t in state.values())),
        "not_finite": [name for name, t in floating.items() if not torch.isfinite(t).all()],
    }


def _differences(state: Mapping[str, Tensor], shapes: Shapes | None) -> dict[str, Any]:
    if shapes is None:
        return {"missing": None, "extra": None, "reshaped": None, "posterior_left_out": None}
    found = compare_state_dict(state, shapes)
    posterior = {name for name in shapes if name.startswith(POSTERIOR_PREFIX)}
    left_out = bool(posterior) and posterior <= set(found.missing)
    missing = [name for name in found.missing if not (left_out and name in posterior)]
    return {
        "missing": _summarize_names(missing),
        "extra": _summarize_names(found.extra),
        "reshaped": _summarize_names(found.reshaped),
        "posterior_left_out": left_out,
    }


def _summarize_names(names: Sequence[str]) -> dict[str, Any]:
    return {"count": len(names), "first": list(names[:_MAX_LISTED_NAMES])}


def _is_complete(weights: SovitsWeights | GptWeights, strict: bool) -> bool:
    found = compare_state_dict(weights.state, weights.shapes)
    return not found.fatal and not (strict and found.extra)


def _read_sidecar(path: Path) -> dict[str, Any] | None:
    """The sidecar of a weight file; `matches`: its SHA-256 is still that of the file."""
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        return None
    try:
        facts = parse_json(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        return {"unreadable": str(error)}
    if not isinstance(facts, dict):
        return {"unreadable": "not a JSON object"}
    return {**facts, "matches": facts.get("sha256") == file_sha256(path)}
