"""The tensors a complete weight file must hold, and how a given one differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.discriminator import Discriminator
from engine.models.sovits.synthesizer import Synthesizer

Shapes = Mapping[str, tuple[int, ...]]
POSTERIOR = "enc_q."  # training only; small files leave it out


@dataclass(frozen=True)
class Difference:
    """Names missing, names that do not belong, names whose shape is another."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def fatal(self) -> tuple[str, ...]:
        """What makes the weights unusable: all but extra names and a left-out posterior."""
        return self.reshaped + tuple(n for n in self.missing if not n.startswith(POSTERIOR))


def compare(state: Mapping[str, Tensor], shapes: Shapes) -> Difference:
    return Difference(
        missing=tuple(name for name in shapes if name not in state),
        extra=tuple(name for name in state if name not in shapes),
        reshaped=tuple(
            name for name in shapes if name in state and tuple(state[name].shape) != shapes[name]
        ),
    )


@lru_cache(maxsize=4)
def generator_shapes(config: SovitsConfig) -> Shapes:
    return _shapes(Synthesizer, config)


@lru_cache(maxsize=4)
def discriminator_shapes(config: SovitsConfig) -> Shapes:
    return _shapes(Discriminator, config)


@lru_cache(maxsize=4)
def gpt_shapes(config: GptConfig) -> Shapes:
    return _shapes(Text2Semantic, config)


def _shapes(network: type[nn.Module], config: SovitsConfig | GptConfig) -> Shapes:
    with torch.device("meta"):  # no memory, no random numbers
        return {name: tuple(t.shape) for name, t in network(config).state_dict().items()}
