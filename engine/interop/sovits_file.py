"""SoVITS weight files: small ones, full checkpoints, pretrained bases; and writing small ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.contract.layout import check_name, sovits_file
from engine.contract.problem import ExitCode, Problem
from engine.interop.container import Container, read_container, read_mark
from engine.interop.expected import (
    POSTERIOR,
    Shapes,
    compare,
    discriminator_shapes,
    generator_shapes,
)
from engine.interop.exported import ExportedFile, halved, write_file
from engine.interop.versions import (
    V2_BASE_MD5,
    V2_SMALLEST,
    version_by_size,
    version_of,
    version_of_mark,
)
from engine.models.sovits.config import SovitsConfig

_INFO = re.compile(r"(\d+)epoch_(\d+)iteration\Z")
_STEP = re.compile(r"[GD]_(\d+)\.pth\Z")


@dataclass(frozen=True)
class SovitsWeights:
    """A SoVITS file that was read: plain values, tensors in their stored type.

    `kind` is "small", "base" or "checkpoint"; `role` is "generator" or "discriminator";
    `config` is what the network is built from, `upstream_config` what the file said.
    """

    path: Path
    kind: str
    role: str
    version: str
    config: SovitsConfig
    upstream_config: dict[str, Any]
    state: dict[str, Tensor]
    info: str
    epoch: int | None
    step: int | None
    optimizer: dict[str, Any] | None = None

    @property
    def shapes(self) -> Shapes:
        """What a complete file of this role holds."""
        find = generator_shapes if self.role == "generator" else discriminator_shapes
        return find(self.config)


def read_sovits(path: str | Path) -> SovitsWeights:
    """Read a v2 generator or discriminator of any kind.

    Problem when the file is damaged, would run something, is another version's, is no SoVITS
    weight, or lacks tensors the network needs (the posterior may be left out).
    """
    path = Path(path)
    marked = version_of_mark(read_mark(path))
    if marked not in (None, "v2"):
        raise _other_version(path, str(marked))
    weights = parse_sovits(read_container(path))
    if weights.version != "v2":
        raise _other_version(path, weights.version)
    fatal = compare(weights.state, weights.shapes).fatal
    if fatal:
        raise Problem(
            "engine.weights.incomplete", ExitCode.DATA,
            path=str(path), count=len(fatal), first=fatal[0],
        )  # fmt: skip
    return weights


def read_discriminator(path: str | Path) -> dict[str, Tensor]:
    """State of a discriminator base or checkpoint; Problem when it is a generator's."""
    weights = read_sovits(path)
    if weights.role != "discriminator":
        raise Problem(
            "engine.weights.wrong_kind", ExitCode.DATA,
            path=str(path), kind="SoVITS generator", want="SoVITS discriminator",
        )  # fmt: skip
    return weights.state


def parse_sovits(container: Container) -> SovitsWeights:
    """Sort out what a container holds, whatever its version; Problem when it is no SoVITS file."""
    content, path = container.content, container.path
    is_checkpoint = "model" in content and "iteration" in content
    state = container.tensors("model" if is_checkpoint else "weight")
    if not state:
        kind = "training checkpoint of a GPT" if "state_dict" in content else "file without weights"
        raise _wrong_kind(path, kind)
    if any(name.startswith("model.") for name in state):
        raise _wrong_kind(path, "GPT weight")
    is_judge = any(name.startswith("discriminators.") for name in state)
    role = "discriminator" if is_judge else "generator"

    said = content.get("config")
    upstream = said if isinstance(said, dict) else {}
    version = _version(container, role, state)
    try:
        config = SovitsConfig.from_dict(upstream) if version == "v2" else SovitsConfig.v2()
    except ValueError as error:
        raise Problem(
            "engine.weights.bad_config", ExitCode.DATA, path=str(path), why=str(error)
        ) from error

    info = content.get("info")
    hit = _INFO.search(info) if isinstance(info, str) else None
    epoch, step = (int(hit[1]), int(hit[2])) if hit else (None, None)
    if is_checkpoint:
        epoch = content["iteration"] if isinstance(content["iteration"], int) else None
        named = _STEP.search(path.name)
        step = int(named[1]) if named else None
    optimizer = content.get("optimizer")
    is_base = (
        container.head_md5 == V2_BASE_MD5
        or role == "discriminator"
        or any(name.startswith(POSTERIOR) for name in state)
    )
    return SovitsWeights(
        path, "checkpoint" if is_checkpoint else "base" if is_base else "small", role, version,
        config, upstream, state, info if isinstance(info, str) else "", epoch, step,
        optimizer if isinstance(optimizer, dict) else None,
    )  # fmt: skip


def write_sovits(
    folder: str | Path,
    voice: str,
    epoch: int,
    step: int,
    state: Mapping[str, Tensor],
    config: SovitsConfig,
    metrics: Mapping[str, Any],
) -> ExportedFile:
    """Write `<voice>_e<epoch>_s<step>.pth` as upstream's trainer would, and its note.

    float16, posterior left out, plain configuration. `metrics` (losses, dataset hash, parent
    weights) goes into the note. Problem when a weight is not finite or missing; OSError when
    the disk is full.
    """
    path = Path(folder) / sovits_file(check_name(voice), epoch, step)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(POSTERIOR)}
    fatal = compare(kept, generator_shapes(config)).fatal
    if fatal:
        raise Problem(
            "engine.weights.incomplete", ExitCode.DATA,
            path=str(path), count=len(fatal), first=fatal[0],
        )  # fmt: skip
    content: dict[str, Any] = {
        "weight": halved(kept, path),
        "config": {**config.to_upstream(), "name": voice},
        "info": f"{epoch}epoch_{step}iteration",
    }
    # Upstream's quick test takes an archive of less than V2_SMALLEST bytes for v1, which a v2
    # network written without a long archive name misses by some 20 kB. Readers ignore this key.
    held = sum(tensor.nbytes for tensor in content["weight"].values())
    if config == SovitsConfig.v2() and version_by_size(held) == "v1":
        content["padding"] = " " * (V2_SMALLEST - held)
    note = {
        "kind": "sovits", "version": "v2", "voice": voice, "epoch": epoch, "step": step,
        "metrics": dict(metrics),
    }  # fmt: skip
    return write_file(path, content, note)


def _version(container: Container, role: str, state: Mapping[str, Tensor]) -> str:
    if role == "discriminator":  # the same network in v1 and v2
        return version_of_mark(container.mark) or "v2"
    return version_of(container.mark, container.content, state, container.bytes)


def _other_version(path: Path, version: str) -> Problem:
    return Problem("engine.weights.version", ExitCode.DATA, path=str(path), version=version)


def _wrong_kind(path: Path, kind: str) -> Problem:
    return Problem(
        "engine.weights.wrong_kind", ExitCode.DATA, path=str(path), kind=kind, want="SoVITS weight"
    )
