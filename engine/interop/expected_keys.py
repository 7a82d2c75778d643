"""The tensors a complete weight file must hold, and how a given one differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer

Shapes = Mapping[str, tuple[int, ...]]
POSTERIOR_PREFIX = "enc_q."  # training only; small files leave it out


@dataclass(frozen=True)
class StateDictDifference:
    """How a state dict differs: names missing, names too many, names of another shape."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def fatal(self) -> tuple[str, ...]:
        """Names that make the weights unusable: all but extra ones and the posterior's."""
        return self.reshaped + tuple(n for n in self.missing if not n.startswith(POSTERIOR_PREFIX))


def compare_state_dict(state: Mapping[str, Tensor], shapes: Shapes) -> StateDictDifference:
    """How `state` differs from a network with these parameter `shapes`."""
    return StateDictDifference(
        missing=tuple(name for name in shapes if name not in state),
        extra=tuple(name for name in state if name not in shapes),
        reshaped=tuple(
            name for name in shapes if name in state and tuple(state[name].shape) != shapes[name]
        ),
    )


def require_whole(
    path: Path, state: Mapping[str, Tensor], shapes: Shapes, *, exactly: bool = False
) -> None:
    """Problem when the weights of `path` do not fit their network; `exactly`: nor hold more."""
    difference = compare_state_dict(state, shapes)
    fatal = difference.fatal + (difference.extra if exactly else ())
    if fatal:
        facts = {"path": str(path), "count": len(fatal), "first": fatal[0]}
        raise Problem("engine.weights.incomplete", ExitCode.DATA, **facts)


@lru_cache(maxsize=4)
def generator_shapes(config: SovitsConfig) -> Shapes:
    """Name and shape of each tensor of the SoVITS generator."""
    return _network_shapes(Synthesizer, config)


@lru_cache(maxsize=4)
def discriminator_shapes(config: SovitsConfig) -> Shapes:
    """Name and shape of each tensor of the SoVITS discriminator."""
    return _network_shapes(Discriminator, config)


@lru_cache(maxsize=4)
def gpt_shapes(config: GptConfig) -> Shapes:
    """Name and shape of each tensor of the GPT."""
    return _network_shapes(Text2Semantic, config)


def _network_shapes(network: type[nn.Module], config: SovitsConfig | GptConfig) -> Shapes:
    with torch.device("meta"):  # no memory, no random numbers
        return {name: tuple(t.shape) for name, t in network(config).state_dict().items()}
