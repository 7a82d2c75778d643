"""What the loop of `generate` drives: steps over a batch that shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from sovdeck.engine.models.gpt.cache import Cache, KVCache
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.step import MIN_TOKENS, DecodeState, DecodeStep
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic

Generators = Sequence[torch.Generator | None]


class TokenDecoder(Protocol):
    """One batch being decoded; `state` has its present rows."""

    block: int  # steps between two looks at which rows have ended
    state: DecodeState

    @property
    def prefill_cache(self) -> Cache:
        """The empty cache that text and prompt are written to first."""
        ...

    def draw(self, logits: Tensor) -> None:
        """Draw the first token from the logits (B, V) of the prefill."""
        ...

    def fill_noise(self, generators: Generators, first_step: int, count: int) -> None:
        """Draw what the next `count` steps need, for the present rows."""
        ...

    def advance(self, count: int) -> None:
        """Make `count` steps, at most `block`."""
        ...

    def read_ended(self) -> list[bool]:
        """Which rows have ended, as far as it is known without waiting; never wrong about one."""
        ...

    def choose_rows(self, ended: Sequence[bool]) -> list[int] | None:
        """The rows to go on with, in order; None where the batch is not to shrink yet."""
        ...

    def keep_rows(self, rows: list[int]) -> None:
        """Go on with these rows."""
        ...


class GrowingDecoder:
    """Steps one by one over a cache that grows: attention reads what is filled and no more."""

    block = 1

    def __init__(
        self, model: Text2Semantic, state: DecodeState, cache: KVCache, sampling: Sampling
    ) -> None:
        self.state = state
        self.prefill_cache = cache
        self._step = DecodeStep(model, state, cache, sampling)

    def draw(self, logits: Tensor) -> None:
        """Draw the first token from the logits (B, V) of the prefill."""
        self._step.draw(logits)

    def fill_noise(self, generators: Generators, first_step: int, count: int) -> None:
        """Draw what the next `count` steps need."""
        noise = torch.empty_like(self.state.noise[:count], device="cpu")
        draw_noise(noise, generators, first_step)
        self.state.noise[:count] = noise.to(self.state.noise.device)
        self.state.noise_row.zero_()

    def advance(self, count: int) -> None:
        """Make `count` steps."""
        for _ in range(count):
            self._step.run()

    def read_ended(self) -> list[bool]:
        """Which rows have ended; waits for the device."""
        ended: list[bool] = self.state.ended.tolist()
        return ended

    def choose_rows(self, ended: Sequence[bool]) -> list[int] | None:
        """The rows that have not ended."""
        return [row for row, over in enumerate(ended) if not over] if any(ended) else None

    def keep_rows(self, rows: list[int]) -> None:
        """Go on with these rows."""
        index = torch.tensor(rows, device=self.state.token.device)
        self.state.move_rows(index)
        self.state = self._step.state = self.state.first_rows(len(rows))
        self.prefill_cache.select_rows(index)


def draw_noise(noise: Tensor, generators: Generators, first_step: int) -> None:
    """Fill noise (count, B, V) on the CPU with Exp(1), for the steps from `first_step` on.

    Drawn a row and a step at a time, so that neither the size of a block nor the other rows of a
    batch change what a generator gives. While EOS is forbidden it takes no draw.
    """
    for number, rows in enumerate(noise, first_step):
        drawn = rows.shape[1] - (number < MIN_TOKENS)
        for row, generator in zip(rows, generators, strict=True):
            row[:drawn].exponential_(1.0, generator=generator)
            row[drawn:] = 1.0
