"""Position of a stage, its losses, and its updates a second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

# Updates from a shortage of memory until more clips at once are tried, and how many times as many
# after each further shortage.
_GROW_AFTER, _GROW_FACTOR = 50, 4


@dataclass(frozen=True)
class Position:
    """A point between two optimiser updates.

    epoch: the one being trained, from 1. index: its updates that are done. step: updates
    since the starting weights. micro: clips a GPU computes at once, 0 for the whole batch.
    left_out: (epoch, index) of updates that gave no finite number and are not repeated.
    skipped: of the steps, how many moved nothing since fp16 overflowed.
    shortages: how often `micro` had to become smaller. grow_at: the step at which more clips at
    once are tried again.
    """

    epoch: int = 1
    index: int = 0
    step: int = 0
    micro: int = 0
    left_out: tuple[tuple[int, int], ...] = ()
    skipped: int = 0
    shortages: int = 0
    grow_at: int = 0

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Position:
        """Read what `as_facts` wrote."""
        left_out = tuple((int(epoch), int(index)) for epoch, index in facts["left_out"])
        numbers = {name: int(facts[name]) for name in ("epoch", "index", "step", "micro")}
        # A state of an older version does not count these.
        counted = ("skipped", "shortages", "grow_at")
        numbers |= {name: int(facts.get(name, 0)) for name in counted}
        return cls(**numbers, left_out=left_out)

    def as_facts(self) -> dict[str, Any]:
        """The fields as JSON, for a saved state."""
        return asdict(self)

    @property
    def updates(self) -> int:
        """Steps that moved weights."""
        return self.step - self.skipped

    def after_update(self, micro: int) -> Position:
        """The position one update later; `micro` is what fitted into memory."""
        after = replace(self, index=self.index + 1, step=self.step + 1)
        return after.with_micro(micro)

    def with_micro(self, micro: int) -> Position:
        """The same position with `micro` clips at once, 0 for the whole batch.

        After a shortage of memory the next larger number waits, after each further one four times
        as long: what lasted a moment costs little, and a GPU that is too small is seldom tried.
        """
        if micro == self.micro:
            return self
        is_smaller = micro != 0 and (self.micro == 0 or micro < self.micro)
        shortages = self.shortages + is_smaller
        wait = _GROW_AFTER * _GROW_FACTOR ** max(0, shortages - 1)
        return replace(
            self, micro=micro, shortages=shortages, grow_at=self.step + wait if micro else 0
        )

    def going_on_from(self, other: Position) -> Position:
        """The same position, restored after `other`: what was learnt of memory stays."""
        return replace(self, micro=other.micro, shortages=other.shortages, grow_at=other.grow_at)

    def grown_micro(self, batch_size: int) -> int:
        """What to compute at once next: twice as many clips where it is time to try; 0 is all."""
        if not self.micro or self.step < self.grow_at:
            return self.micro
        return 2 * self.micro if 2 * self.micro < batch_size else 0

    def after_epoch(self) -> Position:
        """The start of the next epoch."""
        return replace(self, epoch=self.epoch + 1, index=0)


@dataclass
class LossTrend:
    """First and last losses of a stage, each a mean over `width` readings.

    Over the first and the last epoch, that is: both see the same clips, and one update alone
    is mostly the difficulty of its clips.
    """

    width: int = 5
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)

    def add(self, loss: float) -> None:
        """Add one reading."""
        if len(self.first) < self.width:
            self.first.append(loss)
        self.last = [*self.last, loss][-self.width :]

    @property
    def first_loss(self) -> float | None:
        """Mean of the first readings; None without any."""
        return sum(self.first) / len(self.first) if self.first else None

    @property
    def last_loss(self) -> float | None:
        """Mean of the last readings; None without any."""
        return sum(self.last) / len(self.last) if self.last else None


@dataclass(frozen=True)
class MeanLosses:
    """Mean of each loss since the last reading; `bad` holds the updates that were not finite."""

    losses: Mapping[str, float]
    bad: tuple[Position, ...]


class LossMeter:
    """Keeps losses on the device and reads them all in one transfer."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._rows: list[Tensor] = []
        self._positions: list[Position] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, position: Position, losses: Mapping[str, Tensor]) -> None:
        """Keep the losses of one update, scalars on the device."""
        self._names = tuple(losses)
        self._rows.append(torch.stack([value.detach().float() for value in losses.values()]))
        self._positions.append(position)

    def read(self) -> MeanLosses:
        """Transfer all kept losses to the CPU, forget them, and return their means."""
        table = torch.stack(self._rows).cpu()
        finite = table.isfinite().all(dim=1).tolist()
        bad = tuple(p for p, good in zip(self._positions, finite, strict=True) if not good)
        losses = dict(zip(self._names, table.mean(dim=0).tolist(), strict=True))
        self.clear()
        return MeanLosses(losses, bad)

    def clear(self) -> None:
        """Forget all kept losses."""
        self._rows, self._positions = [], []


class Throughput:
    """Updates a second, over the last few dozen updates."""

    _WINDOW = 32

    def __init__(self) -> None:
        self._times = [time.monotonic()]

    def count_update(self) -> None:
        """Note that one more update is done."""
        self._times = [*self._times, time.monotonic()][-self._WINDOW :]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out of the rate what is done inside: saves, exports, samples."""
        started = time.monotonic()
        yield
        away = time.monotonic() - started
        self._times = [moment + away for moment in self._times]

    @property
    def updates_per_second(self) -> float | None:
        """None until time has passed."""
        spent = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / spent if spent > 0 else None

    def eta_s(self, remaining: int) -> float | None:
        """Seconds for so many updates; None when the rate is not known."""
        return remaining / self.updates_per_second if self.updates_per_second else None


class SaveTimes:
    """Seconds that saves took, and what comes after the last one; nothing until measured."""

    def __init__(self) -> None:
        self._measured: list[float] = []
        self.closing: float | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure one save, with its export and samples."""
        started = time.monotonic()
        yield
        self._measured.append(time.monotonic() - started)

    @property
    def mean(self) -> float | None:
        """Of the saves so far; None before the first."""
        return sum(self._measured) / len(self._measured) if self._measured else None
