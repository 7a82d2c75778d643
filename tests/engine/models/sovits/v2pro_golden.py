"""Where the v2Pro vectors lie, their sizes, and the inputs that they were made from."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sovits_fill import DATA, integers, normal, tones
from torch import Tensor

from sovdeck.engine.models.sovits.masks import length_mask

GOLDEN = Path(os.environ.get("SOVDECK_GOLDEN_V2PRO", DATA / "golden_v2pro"))


def read_json(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


@lru_cache(maxsize=4)
def read_arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@dataclass(frozen=True)
class Sizes:
    """`sizes.json` of a folder of vectors."""

    salt: int
    frames: int
    lens: list[int]
    text: int
    text_lens: list[int]
    dec_z: int
    codes: int
    phones: int
    train_wav: int
    u: list[float]
    sv_wav: int

    @classmethod
    def read(cls) -> Sizes:
        given = read_json("sizes.json")
        return cls(**{field.name: given[field.name] for field in fields(cls)})

    def normal(self, name: str, *shape: int) -> Tensor:
        return normal(name, *shape, salt=self.salt)

    def integers(self, name: str, shape: tuple[int, ...], low: int, high: int) -> Tensor:
        return integers(name, shape, low, high, salt=self.salt)

    def speaker(self, name: str, items: int) -> Tensor:
        """Speaker vectors (items, 20480) called `name`."""
        return 0.5 * self.normal(name, items, 20480).abs()

    def signal(self, name: str, samples: int, rate: int = 32000) -> Tensor:
        return tones(name, samples, rate, self.salt)


class ProScene:
    """The inputs common to the arrays of both versions: two items."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.lengths = torch.tensor(sizes.lens)
        self.mask = length_mask(self.lengths, sizes.frames)
        self.spec = sizes.normal("spec", 2, 1025, sizes.frames).abs() * self.mask
        self.text_lengths = torch.tensor(sizes.text_lens)
        self.text_mask = length_mask(self.text_lengths, sizes.text)
        self.text = sizes.integers("text", (2, sizes.text), 0, 732) * self.text_mask[:, 0]
        self.speaker = sizes.speaker("sv_emb", 2)
