"""GPT weight files: small ones, Lightning checkpoints, the pretrained base; writing small ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sovdeck.engine.contract.layout import check_voice_name, gpt_weight_filename
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop.atomic_export import ExportedFile, to_float16, write_weight_file
from sovdeck.engine.interop.expected_keys import Shapes, gpt_shapes, require_whole
from sovdeck.engine.interop.safe_load import LoadedFile, safe_load
from sovdeck.engine.interop.versions import other_version
from sovdeck.engine.models.gpt.config import GptConfig

UPSTREAM_PREFIX = "model."
_INFO = re.compile(r"GPT-e(\d+)\Z")
_LIGHTNING = re.compile(r"epoch=(\d+)-step=(\d+)\.ckpt\Z")
_VERSION_BY_PHONES = {322: "v1", 732: "v2"}
# Far above any real model; a forged file must not allocate a million layers.
_SIZE_LIMITS = {"n_layer": 256, "head": 1024}
_DEFAULT_SIZE_LIMIT = 65536


@dataclass(frozen=True)
class GptWeights:
    """A GPT file that was read. Names in `state` are the network's, without upstream's `model.`.

    `kind` is "small", "base" or "checkpoint"; `upstream_config` is the one in the file.
    """

    path: Path
    kind: str
    version: str
    config: GptConfig
    upstream_config: dict[str, Any]
    state: dict[str, Tensor]
    info: str
    epoch: int | None
    step: int | None
    checkpoint: dict[str, Any] | None = None

    @property
    def shapes(self) -> Shapes:
        """Name and shape of each tensor of a complete file."""
        return gpt_shapes(self.config)


def read_gpt(path: str | Path) -> GptWeights:
    """Read a v2 GPT weight of any kind.

    Problem when the file is damaged, would run code, is another version's or no GPT weight,
    or when its tensors are not exactly the network's, since upstream loads strictly.
    """
    path = Path(path)
    weights = parse_gpt(safe_load(path))
    if weights.version != "v2":
        raise other_version(path, weights.version)
    require_whole(path, weights.state, weights.shapes, exactly=True)
    return weights


def parse_gpt(loaded: LoadedFile) -> GptWeights:
    """Version, config and weights of a loaded file; Problem when it is no GPT file."""
    content, path = loaded.content, loaded.path
    is_checkpoint = "state_dict" in content
    named = loaded.tensors("state_dict" if is_checkpoint else "weight")
    if not named:
        raise _wrong_kind(path, "file without weights")
    if not all(name.startswith(UPSTREAM_PREFIX) for name in named):
        raise _wrong_kind(path, "SoVITS weight")
    state = {name.removeprefix(UPSTREAM_PREFIX): tensor for name, tensor in named.items()}

    upstream = _find_config(content)
    try:
        config = GptConfig.from_dict(_check_sizes(upstream))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise Problem(
            "engine.weights.bad_config",
            ExitCode.DATA,
            path=str(path),
            why=f"{type(error).__name__}: {error}",
        ) from error

    info = content.get("info")
    info = info if isinstance(info, str) else ""
    hit, lightning = _INFO.search(info), _LIGHTNING.search(path.name)
    epoch = int(hit[1]) if hit else None
    step = None
    if lightning:  # Lightning counts epochs from 0
        epoch, step = int(lightning[1]) + 1, int(lightning[2])
    kind = "checkpoint" if is_checkpoint else "small" if hit else "base"
    return GptWeights(
        path,
        kind,
        _VERSION_BY_PHONES.get(config.phoneme_vocab_size, "unknown"),
        config,
        upstream,
        state,
        info,
        epoch,
        step,
        content if is_checkpoint else None,
    )


def write_gpt(
    folder: str | Path,
    voice: str,
    epoch: int,
    state: Mapping[str, Tensor],
    config: GptConfig,
    metrics: Mapping[str, Any],
) -> ExportedFile:
    """Write `<voice>-e<epoch>.ckpt` as upstream's trainer would, and its sidecar.

    float16, names with upstream's prefix. `state` must be exactly the network's. Problem when
    a weight is not finite or missing; OSError when the disk is full.
    """
    path = Path(folder) / gpt_weight_filename(check_voice_name(voice), epoch)
    require_whole(path, state, gpt_shapes(config), exactly=True)
    content = {
        "weight": {UPSTREAM_PREFIX + name: half for name, half in to_float16(state, path).items()},
        "config": config.to_upstream(),
        "info": f"GPT-e{epoch}",
    }
    sidecar = {
        "kind": "gpt",
        "version": "v2",
        "voice": voice,
        "epoch": epoch,
        "step": None,
        "metrics": dict(metrics),
    }
    return write_weight_file(path, content, sidecar)


def _find_config(content: Mapping[str, Any]) -> dict[str, Any]:
    """The training configuration: of a small file, or among a checkpoint's hyper-parameters."""
    found = content.get("config")
    hyper = content.get("hyper_parameters")
    if not isinstance(found, dict) and isinstance(hyper, dict):
        found = hyper.get("config", hyper)
    return found if isinstance(found, dict) else {}


def _check_sizes(upstream: Mapping[str, Any]) -> dict[str, Any]:
    model = upstream.get("model")
    if not isinstance(model, Mapping):
        raise KeyError("model")
    for name, value in model.items():
        if isinstance(value, int) and not 0 <= value <= _SIZE_LIMITS.get(
            str(name), _DEFAULT_SIZE_LIMIT
        ):
            raise ValueError(f"{name} is {value}")
    return {"model": dict(model)}


def _wrong_kind(path: Path, kind: str) -> Problem:
    return Problem(
        "engine.weights.wrong_kind", ExitCode.DATA, path=str(path), kind=kind, want="GPT weight"
    )
