"""Which pair of weights wins an audition: marks first, a person's blind votes above them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# How many marks' worth one vote is: a listener who prefers one pair overrides what was measured
# unless the difference is gross.
_VOTE = 0.5


@dataclass(frozen=True)
class Standing:
    """One pair (GPT file, SoVITS file): mean penalty over its cells, votes won and lost."""

    gpt: str
    sovits: str
    penalty: float
    cells: int
    won: int
    lost: int

    @property
    def score(self) -> float:
        """Higher is better."""
        heard = self.won + self.lost
        return -self.penalty + _VOTE * (self.won - self.lost) / max(1, heard) * min(heard, 4)


def standings(
    rows: Iterable[Mapping[str, Any]], votes: Iterable[Mapping[str, Any]] = ()
) -> list[Standing]:
    """Pairs from best to worst.

    rows: audition rows with `cell`, `gpt`, `sovits`, `penalty`. votes: {"better": cell,
    "worse": cell}; a vote that names an unknown cell, or two cells of one pair, says nothing.
    """
    pairs: dict[tuple[str, str], list[float]] = defaultdict(list)
    pair_of: dict[str, tuple[str, str]] = {}
    for row in rows:
        if row.get("kind", "cell") == "cell":
            pair = (str(row["gpt"]), str(row["sovits"]))
            pair_of[str(row["cell"])] = pair
            pairs[pair].append(float(row["penalty"]))
    won: dict[tuple[str, str], int] = defaultdict(int)
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for vote in votes:
        better, worse = pair_of.get(str(vote.get("better"))), pair_of.get(str(vote.get("worse")))
        if better and worse and better != worse:
            won[better] += 1
            lost[worse] += 1
    found = [
        Standing(*pair, sum(cost) / len(cost), len(cost), won[pair], lost[pair])
        for pair, cost in pairs.items()
    ]
    return sorted(found, key=lambda one: one.score, reverse=True)
