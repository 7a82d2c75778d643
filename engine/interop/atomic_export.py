"""Atomic writing of a weight file, and of a JSON sidecar with its facts."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine import __version__
from sovdeck.engine.contract.atomic_io import HashingFile, replace_hashed, write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem


@dataclass(frozen=True)
class ExportedFile:
    """A weight file on the disk."""

    path: Path
    bytes: int
    sha256: str


def to_float16(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Every tensor as float16 on the CPU; Problem naming the first that is then not finite."""
    converted = {}
    for name, tensor in state.items():
        half = tensor.detach().to(device="cpu", dtype=torch.float16, copy=True).contiguous()
        if not torch.isfinite(half).all():
            why = "overflows float16" if torch.isfinite(tensor).all() else "is not finite"
            raise Problem(
                "engine.weights.not_finite", ExitCode.DATA, path=str(path), name=name, why=why
            )
        converted[name] = half
    return converted


def write_weight_file(
    path: Path,
    content: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    *,
    magic: bytes | None = None,
) -> ExportedFile:
    """Write a torch archive and its `<file>.json`; OSError when the disk is full.

    The archive goes to a temporary name, is fsynced and renamed; the sidecar follows it. `magic`
    replaces its first two bytes, by which upstream tells a v2Pro file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Given a file object torch names its records "archive/...", whatever the path.
    size, digest = replace_hashed(path, lambda file: _save(content, magic, file))
    facts = {"file": path.name, "bytes": size, "sha256": digest, "engine": __version__, **sidecar}
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
    write_atomic(sidecar_path(path), text.encode() + b"\n")
    return ExportedFile(path, size, digest)


def _save(content: Mapping[str, Any], magic: bytes | None, file: HashingFile) -> None:
    if magic is None:
        torch.save(dict(content), file)  # type: ignore[arg-type]
        return
    archive = io.BytesIO()
    torch.save(dict(content), archive)
    file.write(magic)
    file.write(archive.getbuffer()[len(magic) :])


def sidecar_path(path: Path) -> Path:
    """Path of the sidecar with the facts about a weight file: `<file>.json`."""
    return path.with_name(f"{path.name}.json")
