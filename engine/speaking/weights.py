"""From weight files to models that speak."""

from __future__ import annotations

from pathlib import Path

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
