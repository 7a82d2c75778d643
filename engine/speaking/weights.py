"""From weight files to models that speak."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.contract.problem import ExitCode, Problem
from engine.interop import read_gpt, read_sovits
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.synthesizer import Synthesizer


def load_gpt(path: Path) -> Text2Semantic:
    """A small or full GPT weight as float32 on the CPU; Problem when it is no such file."""
    weights = read_gpt(path)
    model = Text2Semantic(GptConfig.from_dict(weights.config))
    _fill(model, weights.state, path, optional="")
    return model.eval()


def load_sovits(path: Path) -> Synthesizer:
    """A SoVITS weight as float32 on the CPU; Problem when it is no such file.

    `enc_q` only serves training and is left out of small weights.
    """
    weights = read_sovits(path)
    model = Synthesizer(SovitsConfig.from_dict(weights.config))
    _fill(model, weights.state, path, optional="enc_q.")
    return model.eval()


def _fill(model: nn.Module, state: Mapping[str, torch.Tensor], path: Path, optional: str) -> None:
    """Load `state` strictly, except for names that start with `optional`."""
    try:
        found = model.load_state_dict(state, strict=False)
        missing = [n for n in found.missing_keys if not (optional and n.startswith(optional))]
        wrong = [*missing, *found.unexpected_keys]
    except RuntimeError as error:  # torch's word for a shape that differs
        wrong = [str(error).splitlines()[-1].strip()]
    if wrong:
        raise Problem(
            "engine.speaking.weight_parts", ExitCode.DATA,
            file=str(path), count=len(wrong), first=wrong[0],
        )  # fmt: skip


def natural(path: Path) -> list[Any]:
    """Sort key that puts e2 before e10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def weight_files(folder: Path, suffix: str) -> list[Path]:
    """Weight files of one voice in natural order, oldest epoch first; empty without folder."""
    return sorted((p for p in folder.glob(f"*{suffix}") if p.is_file()), key=natural)


def newest_weight(folder: Path, suffix: str) -> Path:
    """The last weight in natural order; Problem when the folder holds none."""
    found = weight_files(folder, suffix)
    if not found:
        raise Problem("engine.speaking.no_weight", ExitCode.DATA, folder=str(folder), kind=suffix)
    return found[-1]
