"""What a weight file is, without running it: version, epoch, sizes, tensors missing or extra."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.interop.container import Container, read_container
from engine.interop.expected import POSTERIOR, Shapes, compare
from engine.interop.exported import note_path
from engine.interop.gpt_file import PREFIX, GptWeights, parse_gpt
from engine.interop.sovits_file import SovitsWeights, parse_sovits
from engine.interop.versions import V2_BASE_MD5, version_by_size
from engine.runtime.durable import sha256

_LISTED = 20  # names of a list that are spelled out


def inspect(path: str | Path) -> dict[str, Any]:
    """Facts about a weight file of any version, as JSON values.

    `family` is "sovits" or "gpt"; `network` is "v2", "tiny" or "other"; `runs` says whether
    this engine can use the file. `missing`, `extra` and `reshaped` compare it with a complete
    v2 file (None for other versions); `posterior_left_out` says that all of `enc_q` is missing,
    as it should be in a small file.
    Problem when the file is damaged, asks to run something, or holds no weights.
    """
    container = read_container(path)
    weights = parse_gpt(container) if _is_gpt(container) else parse_sovits(container)
    is_v2 = weights.version == "v2"
    facts: dict[str, Any] = {
        "path": str(container.path), "bytes": container.bytes, "sha256": sha256(container.path),
        "family": "gpt" if isinstance(weights, GptWeights) else "sovits",
        "kind": weights.kind, "role": getattr(weights, "role", "generator"),
        "version": weights.version, "network": _network(weights) if is_v2 else None,
        "upstream_takes_it_for": _quick_guess(container, weights),
        "official_base": container.head_md5 == V2_BASE_MD5,
        "epoch": weights.epoch, "step": weights.step, "info": weights.info,
        **_tensor_facts(weights.state),
        **_differences(weights.state, weights.shapes if is_v2 else None),
        "model": weights.upstream_config.get("model"),
        "note": _note(container.path),
    }  # fmt: skip
    strict = facts["family"] == "gpt"
    facts["runs"] = is_v2 and not facts["not_finite"] and _fits(weights, strict)
    return facts


def _network(weights: SovitsWeights | GptWeights) -> str:
    kind = type(weights.config)
    sizes = {"v2": kind.v2(), "tiny": kind.tiny()}
    return next((name for name, size in sizes.items() if size == weights.config), "other")


def _is_gpt(container: Container) -> bool:
    names = container.tensors("weight")
    return "state_dict" in container.content or any(name.startswith(PREFIX) for name in names)


def _quick_guess(container: Container, weights: SovitsWeights | GptWeights) -> str | None:
    if isinstance(weights, GptWeights) or weights.kind == "checkpoint":
        return None
    return version_by_size(container.bytes) if container.mark == "PK" else weights.version


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
    found = compare(state, shapes)
    posterior = {name for name in shapes if name.startswith(POSTERIOR)}
    left_out = bool(posterior) and posterior <= set(found.missing)
    missing = [name for name in found.missing if not (left_out and name in posterior)]
    return {
        "missing": _named(missing), "extra": _named(found.extra),
        "reshaped": _named(found.reshaped), "posterior_left_out": left_out,
    }  # fmt: skip


def _named(names: Sequence[str]) -> dict[str, Any]:
    return {"count": len(names), "first": list(names[:_LISTED])}


def _fits(weights: SovitsWeights | GptWeights, strict: bool) -> bool:
    found = compare(weights.state, weights.shapes)
    return not found.fatal and not (strict and found.extra)


def _note(path: Path) -> dict[str, Any] | None:
    """The `<file>.json` beside a weight, and whether the weight is still the one it speaks of."""
    beside = note_path(path)
    if not beside.is_file():
        return None
    try:
        note = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        return {"unreadable": str(error)}
    if not isinstance(note, dict):
        return {"unreadable": "not a JSON object"}
    return {**note, "matches": note.get("sha256") == sha256(path)}
