"""SoVITS weight files: small ones, full checkpoints, pretrained bases; and writing small ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sovdeck.engine.contract.layout import check_voice_name, sovits_weight_filename
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop.atomic_export import ExportedFile, to_float16, write_weight_file
from sovdeck.engine.interop.expected_keys import (
    POSTERIOR_PREFIX,
    Shapes,
    discriminator_shapes,
    generator_shapes,
    require_whole,
)
from sovdeck.engine.interop.safe_load import LoadedFile, safe_load
from sovdeck.engine.interop.versions import (
    OFFICIAL_BASES,
    V2_MIN_BYTES,
    WRITTEN_MAGIC,
    detect_version,
    other_version,
    version_from_size,
    version_of_discriminator,
)
from sovdeck.engine.models.sovits.config import VERSIONS, SovitsConfig

_INFO = re.compile(r"(\d+)epoch_(\d+)iteration\Z")
_STEP = re.compile(r"[GD]_(\d+)\.pth\Z")
_LATEST_STEP = 233333333333  # in the name of a checkpoint that is always replaced: no number


@dataclass(frozen=True)
class SovitsWeights:
    """A SoVITS file that was read: plain values, tensors in their stored type.

    `kind` is "small", "base" or "checkpoint"; `role` is "generator" or "discriminator";
    `config` is what the network is built from, `upstream_config` the one in the file.
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
        """Name and shape of each tensor of a complete file of this role."""
        find = generator_shapes if self.role == "generator" else discriminator_shapes
        return find(self.config)


def read_sovits(path: str | Path) -> SovitsWeights:
    """Read a generator or discriminator of v2, v2Pro or v2ProPlus, of any kind.

    Problem when the file is damaged, would run code, is another version's, is no SoVITS weight,
    or lacks tensors the network needs (the posterior may be left out).
    """
    path = Path(path)
    weights = parse_sovits(safe_load(path))
    if weights.version not in VERSIONS:
        raise other_version(path, weights.version)
    require_whole(path, weights.state, weights.shapes)
    return weights


def read_discriminator(path: str | Path) -> dict[str, Tensor]:
    """State of a discriminator base or checkpoint; Problem when it is a generator's."""
    weights = read_sovits(path)
    if weights.role != "discriminator":
        raise Problem(
            "engine.weights.wrong_kind",
            ExitCode.DATA,
            path=str(path),
            kind="SoVITS generator",
            want="SoVITS discriminator",
        )
    return weights.state


def parse_sovits(loaded: LoadedFile) -> SovitsWeights:
    """Version, config and weights of a loaded file of any version; Problem for another kind."""
    content, path = loaded.content, loaded.path
    is_checkpoint = "model" in content and "iteration" in content
    state = loaded.tensors("model" if is_checkpoint else "weight")
    if not state:
        kind = "training checkpoint of a GPT" if "state_dict" in content else "file without weights"
        raise _wrong_kind(path, kind)
    if any(name.startswith("model.") for name in state):
        raise _wrong_kind(path, "GPT weight")
    is_discriminator = any(name.startswith("discriminators.") for name in state)
    role = "discriminator" if is_discriminator else "generator"

    stored_config = content.get("config")
    upstream = stored_config if isinstance(stored_config, dict) else {}
    version = _version(loaded, role, state)
    try:
        config = (
            SovitsConfig.from_dict(upstream, version) if version in VERSIONS else SovitsConfig.v2()
        )
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
        step = None if step == _LATEST_STEP else step
    optimizer = content.get("optimizer")
    is_base = (
        loaded.head_md5 in OFFICIAL_BASES
        or role == "discriminator"
        or any(name.startswith(POSTERIOR_PREFIX) for name in state)
    )
    return SovitsWeights(
        path,
        "checkpoint" if is_checkpoint else "base" if is_base else "small",
        role,
        version,
        config,
        upstream,
        state,
        info if isinstance(info, str) else "",
        epoch,
        step,
        optimizer if isinstance(optimizer, dict) else None,
    )


def write_sovits(
    folder: str | Path,
    voice: str,
    epoch: int,
    step: int,
    state: Mapping[str, Tensor],
    config: SovitsConfig,
    metrics: Mapping[str, Any],
) -> ExportedFile:
    """Write `<voice>_e<epoch>_s<step>.pth` as upstream's trainer would, and its sidecar.

    float16, posterior left out, plain configuration, the first two bytes by which upstream knows
    v2Pro. `metrics` (losses, dataset hash, parent weights) goes into the sidecar. Problem when a
    weight is not finite or missing; OSError when the disk is full.
    """
    path = Path(folder) / sovits_weight_filename(check_voice_name(voice), epoch, step)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(POSTERIOR_PREFIX)}
    require_whole(path, kept, generator_shapes(config))
    content: dict[str, Any] = {
        "weight": to_float16(kept, path),
        "config": {**config.to_upstream(), "name": voice},
        "info": f"{epoch}epoch_{step}iteration",
    }
    # Upstream's quick test takes an archive of less than V2_SMALLEST bytes for v1, which a v2
    # network written without a long archive name misses by some 20 kB. Readers ignore this key.
    stored_bytes = sum(tensor.nbytes for tensor in content["weight"].values())
    if config == SovitsConfig.v2() and version_from_size(stored_bytes) == "v1":
        content["padding"] = " " * (V2_MIN_BYTES - stored_bytes)
    sidecar = {
        "kind": "sovits",
        "version": config.version,
        "voice": voice,
        "epoch": epoch,
        "step": step,
        "metrics": dict(metrics),
    }
    return write_weight_file(path, content, sidecar, magic=WRITTEN_MAGIC.get(config.version))


def _version(loaded: LoadedFile, role: str, state: Mapping[str, Tensor]) -> str:
    if role == "discriminator":
        return version_of_discriminator(state)
    return detect_version(loaded.magic, loaded.content, state, loaded.head_md5)


def _wrong_kind(path: Path, kind: str) -> Problem:
    return Problem(
        "engine.weights.wrong_kind", ExitCode.DATA, path=str(path), kind=kind, want="SoVITS weight"
    )
