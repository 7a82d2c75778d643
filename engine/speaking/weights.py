"""Weight files of a voice: which there are, and the models they hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from engine.contract.problem import ExitCode, Problem
from engine.interop import read_gpt, read_sovits
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.synthesizer import Synthesizer


def load_gpt(path: Path) -> Text2Semantic:
    """A GPT weight of any kind as float32 on the CPU; Problem when it is no such file."""
    weights = read_gpt(path)
    model = Text2Semantic(weights.config)
    model.load_state_dict(weights.state)
    return model.eval()


def load_sovits(path: Path) -> Synthesizer:
    """A SoVITS generator as float32 on the CPU; Problem when it is no such file.

    Small weights lack the posterior encoder, which only serves training; it stays random.
    """
    weights = read_sovits(path)
    if weights.role != "generator":
        raise Problem(
            "engine.weights.wrong_kind", ExitCode.DATA,
            path=str(path), kind="SoVITS discriminator", want="SoVITS generator",
        )  # fmt: skip
    model = Synthesizer(weights.config)
    model.load_state_dict(weights.state, strict=False)  # read_sovits has compared the names
    return model.eval()


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
