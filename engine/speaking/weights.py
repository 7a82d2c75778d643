"""Loads weight files into models."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import torch

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop import read_gpt, read_sovits
from sovdeck.engine.models.gpt.cpu_weights import set_precision
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.cpu_decoder import pack_decoder
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.weight_norm import fold_weight_norm


def require_weights(*paths: Path) -> None:
    """Raise Problem for a path where no file is."""
    for path in paths:
        if not path.is_file():
            facts = {"path": str(path), "why": os.strerror(errno.ENOENT)}
            raise Problem("engine.weights.unreadable", ExitCode.DATA, **facts)


def load_gpt(path: Path) -> Text2Semantic:
    """Load a GPT weight of any kind as float32 on the CPU; Problem when it is no such file."""
    weights = read_gpt(path)
    model = Text2Semantic(weights.config)
    model.load_state_dict(weights.state)
    return model.eval()


def load_sovits(path: Path) -> Synthesizer:
    """Load a SoVITS generator as float32 on the CPU; Problem when it is no such file.

    Small weights lack the posterior encoder, which only serves training; it stays random.
    """
    weights = read_sovits(path)
    if weights.role != "generator":
        raise Problem(
            "engine.weights.wrong_kind",
            ExitCode.DATA,
            path=str(path),
            kind="SoVITS discriminator",
            want="SoVITS generator",
        )
    model = Synthesizer(weights.config)
    model.load_state_dict(weights.state, strict=False)  # read_sovits has compared the names
    return model.eval()


def open_gpt(path: Path, device: str | torch.device, precision: str = "fp32") -> Text2Semantic:
    """Load a GPT to speak with on `device`, packed where that is quicker."""
    return set_precision(load_gpt(path).to(device), precision)


def open_sovits(
    path: Path, device: str | torch.device, precision: str = "fp32"
) -> tuple[Synthesizer, bool]:
    """Load a generator to speak with on `device`, and whether it is to decode in bfloat16 casts."""
    model = load_sovits(path).to(device)
    low_precision = precision != "fp32"
    packed = pack_decoder(model, torch.bfloat16 if low_precision else torch.float32)
    for part in (model.dec, model.flow):
        fold_weight_norm(part)
    return model, low_precision and not packed
