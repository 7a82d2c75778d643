"""GPT weight files: small ones, Lightning checkpoints, the pretrained base; writing small ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.contract.layout import check_name, gpt_file
from engine.contract.problem import ExitCode, Problem
from engine.interop.container import Container, read_container
from engine.interop.expected import Shapes, compare, gpt_shapes
from engine.interop.exported import ExportedFile, halved, write_file
from engine.models.gpt.config import GptConfig

PREFIX = "model."
_INFO = re.compile(r"GPT-e(\d+)\Z")
_LIGHTNING = re.compile(r"epoch=(\d+)-step=(\d+)\.ckpt\Z")
_PHONES = {322: "v1", 732: "v2"}
# Far above any real model; a forged file may not ask for a million layers.
_LARGEST = {"n_layer": 256, "head": 1024}
_LARGEST_SIZE = 65536


@dataclass(frozen=True)
class GptWeights:
    """A GPT file that was read. Names in `state` are the network's, without upstream's `model.`.

    `kind` is "small", "base" or "checkpoint"; `upstream_config` is what the file said.
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
        """What a complete file holds."""
        return gpt_shapes(self.config)


def read_gpt(path: str | Path) -> GptWeights:
    """Read a v2 GPT weight of any kind.

    Problem when the file is damaged, would run something, is another version's or no GPT
    weight, or when its tensors are not exactly the network's, since upstream loads strictly.
    """
    path = Path(path)
    weights = parse_gpt(read_container(path))
    if weights.version != "v2":
        raise Problem(
            "engine.weights.version", ExitCode.DATA, path=str(path), version=weights.version
        )
    difference = compare(weights.state, weights.shapes)
    fatal = difference.fatal + difference.extra
    if fatal:
        raise Problem(
            "engine.weights.incomplete", ExitCode.DATA,
            path=str(path), count=len(fatal), first=fatal[0],
        )  # fmt: skip
    return weights


def parse_gpt(container: Container) -> GptWeights:
    """Sort out what a container holds; Problem when it is no GPT file."""
    content, path = container.content, container.path
    is_checkpoint = "state_dict" in content
    named = container.tensors("state_dict" if is_checkpoint else "weight")
    if not named:
        raise _wrong_kind(path, "file without weights")
    if not all(name.startswith(PREFIX) for name in named):
        raise _wrong_kind(path, "SoVITS weight")
    state = {name.removeprefix(PREFIX): tensor for name, tensor in named.items()}

    upstream = _config(content)
    try:
        config = GptConfig.from_dict(_bounded(upstream))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise Problem(
            "engine.weights.bad_config", ExitCode.DATA,
            path=str(path), why=f"{type(error).__name__}: {error}",
        ) from error  # fmt: skip

    info = content.get("info")
    info = info if isinstance(info, str) else ""
    hit, lightning = _INFO.search(info), _LIGHTNING.search(path.name)
    epoch = int(hit[1]) if hit else None
    step = None
    if lightning:  # Lightning counts epochs from 0
        epoch, step = int(lightning[1]) + 1, int(lightning[2])
    kind = "checkpoint" if is_checkpoint else "small" if hit else "base"
    return GptWeights(
        path, kind, _PHONES.get(config.phoneme_vocab_size, "unknown"), config, upstream, state,
        info, epoch, step, content if is_checkpoint else None,
    )  # fmt: skip


def write_gpt(
    folder: str | Path,
    voice: str,
    epoch: int,
    state: Mapping[str, Tensor],
    config: GptConfig,
    metrics: Mapping[str, Any],
) -> ExportedFile:
    """Write `<voice>-e<epoch>.ckpt` as upstream's trainer would, and its note.

    float16, names with upstream's prefix. `state` must be exactly the network's. Problem when
    a weight is not finite or missing; OSError when the disk is full.
    """
    path = Path(folder) / gpt_file(check_name(voice), epoch)
    difference = compare(state, gpt_shapes(config))
    fatal = difference.fatal + difference.extra
    if fatal:
        raise Problem(
            "engine.weights.incomplete", ExitCode.DATA,
            path=str(path), count=len(fatal), first=fatal[0],
        )  # fmt: skip
    content = {
        "weight": {PREFIX + name: half for name, half in halved(state, path).items()},
        "config": config.to_upstream(),
        "info": f"GPT-e{epoch}",
    }
    note = {
        "kind": "gpt", "version": "v2", "voice": voice, "epoch": epoch, "step": None,
        "metrics": dict(metrics),
    }  # fmt: skip
    return write_file(path, content, note)


def _config(content: Mapping[str, Any]) -> dict[str, Any]:
    """The training configuration: of a small file, or among a checkpoint's hyper-parameters."""
    found = content.get("config")
    hyper = content.get("hyper_parameters")
    if not isinstance(found, dict) and isinstance(hyper, dict):
        found = hyper.get("config", hyper)
    return found if isinstance(found, dict) else {}


def _bounded(upstream: Mapping[str, Any]) -> dict[str, Any]:
    model = upstream.get("model")
    if not isinstance(model, Mapping):
        raise KeyError("model")
    for name, value in model.items():
        if isinstance(value, int) and not 0 <= value <= _LARGEST.get(str(name), _LARGEST_SIZE):
            raise ValueError(f"{name} is {value}")
    return {"model": dict(model)}


def _wrong_kind(path: Path, kind: str) -> Problem:
    return Problem(
        "engine.weights.wrong_kind", ExitCode.DATA, path=str(path), kind=kind, want="GPT weight"
    )
