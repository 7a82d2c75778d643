"""Writing a weight file so that a reader sees a whole one or none, with its note beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine import __version__
from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import fsync_folder, write_atomic, write_hashed


@dataclass(frozen=True)
class ExportedFile:
    """A weight file as it lies on the disk."""

    path: Path
    bytes: int
    sha256: str


def halved(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Every tensor as float16 on the CPU; Problem naming the first that does not survive it."""
    halves = {}
    for name, tensor in state.items():
        half = tensor.detach().to(device="cpu", dtype=torch.float16, copy=True).contiguous()
        if not torch.isfinite(half).all():
            why = "overflows float16" if torch.isfinite(tensor).all() else "is not finite"
            raise Problem(
                "engine.weights.not_finite", ExitCode.DATA, path=str(path), name=name, why=why
            )
        halves[name] = half
    return halves


def write_file(path: Path, content: Mapping[str, Any], note: Mapping[str, Any]) -> ExportedFile:
    """Write a torch archive and its `<file>.json`; OSError when the disk is full.

    The archive goes to a temporary name, is fsynced and renamed; the note follows it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    try:
        # Given a file object torch names its records "archive/...", whatever the path.
        size, digest = write_hashed(beside, lambda file: torch.save(dict(content), file))  # type: ignore[arg-type]
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)
    facts = {"file": path.name, "bytes": size, "sha256": digest, "engine": __version__, **note}
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
    write_atomic(note_path(path), text.encode() + b"\n")
    return ExportedFile(path, size, digest)


def note_path(path: Path) -> Path:
    """Where the facts about a weight file lie: `<file>.json` beside it."""
    return path.with_name(f"{path.name}.json")
