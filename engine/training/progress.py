"""Where a stage stands, what its losses were, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Position:
    """A point between two optimiser updates.

    epoch: the one being trained, from 1. index: its updates that are done. step: updates
    since the base weights. micro: clips a GPU computes at once, 0 for the whole batch.
    left_out: (epoch, index) of updates that gave no finite number and are not repeated.
    """

    epoch: int = 1
    index: int = 0
    step: int = 0
    micro: int = 0
    left_out: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Position:
        left_out = tuple((int(epoch), int(index)) for epoch, index in facts["left_out"])
        numbers = {name: int(facts[name]) for name in ("epoch", "index", "step", "micro")}
        return cls(**numbers, left_out=left_out)

    def as_facts(self) -> dict[str, Any]:
        return asdict(self)

    def after_update(self, micro: int) -> Position:
        return replace(self, index=self.index + 1, step=self.step + 1, micro=micro)

    def after_epoch(self) -> Position:
        return replace(self, epoch=self.epoch + 1, index=0)


@dataclass
class Trend:
    """First and last losses of a stage, each a mean over `width` readings.

    Over the first and the last epoch, that is: both see the same clips, and one update alone
    is mostly the difficulty of its clips.
    """

    width: int = 5
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)

    def add(self, loss: float) -> None:
        if len(self.first) < self.width:
            self.first.append(loss)
        self.last = [*self.last, loss][-self.width :]

    @property
    def first_loss(self) -> float | None:
        return sum(self.first) / len(self.first) if self.first else None

    @property
    def last_loss(self) -> float | None:
        return sum(self.last) / len(self.last) if self.last else None


@dataclass(frozen=True)
class Reading:
    """Mean of each loss since the last reading; `bad` names the updates that were not finite."""

    losses: Mapping[str, float]
    bad: tuple[Position, ...]


class Meter:
    """Keeps losses on the device and reads them all in one transfer."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._rows: list[Tensor] = []
        self._places: list[Position] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, place: Position, losses: Mapping[str, Tensor]) -> None:
        self._names = tuple(losses)
        self._rows.append(torch.stack([value.detach().float() for value in losses.values()]))
        self._places.append(place)

    def read(self) -> Reading:
        table = torch.stack(self._rows).cpu()
        finite = table.isfinite().all(dim=1).tolist()
        bad = tuple(p for p, good in zip(self._places, finite, strict=True) if not good)
        losses = dict(zip(self._names, table.mean(dim=0).tolist(), strict=True))
        self.clear()
        return Reading(losses, bad)

    def clear(self) -> None:
        self._rows, self._places = [], []


class Pace:
    """Updates a second, over the last few dozen updates."""

    _SPAN = 32

    def __init__(self) -> None:
        self._times = [time.monotonic()]

    def tick(self) -> None:
        self._times = [*self._times, time.monotonic()][-self._SPAN :]

    @property
    def rate(self) -> float | None:
        spent = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / spent if spent > 0 else None

    def eta(self, remaining: int) -> float | None:
        return remaining / self.rate if self.rate else None
