"""An audition as a grid: SoVITS epochs down, GPT epochs across, the mean penalty in each. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contract.audition import AuditionCell
from tui.state.speech import Audition

LEVELS = 4
NO_SENTENCE = -1  # the number of what is heard beside the sentences of a grid
Pair = tuple[str, str]  # GPT file, SoVITS file

_BESIDE = {"truth": 0, "base": 1}
_EPOCH = re.compile(r"[-_]e(\d+)")


def epoch_of(name: str) -> int | None:
    """The epoch in a weight's file name: `Mika-e15.ckpt`, `Mika_e16_s2240.pth`."""
    found = _EPOCH.search(name)
    return int(found[1]) if found else None


def label(name: str) -> str:
    """How a weight is called where there is little room: e15, else its file's name."""
    epoch = epoch_of(name)
    return name.rsplit(".", 1)[0] if epoch is None else f"e{epoch}"


def _natural(name: str) -> tuple[int, str]:
    epoch = epoch_of(name)
    return (-1 if epoch is None else epoch, name)


@dataclass(frozen=True)
class PairGrid:
    """Axes in order of epochs; `means` has the pairs of which something is rendered."""

    gpt: tuple[str, ...] = ()
    sovits: tuple[str, ...] = ()
    means: Mapping[Pair, float] = field(default_factory=dict)

    def level(self, pair: Pair) -> int | None:
        """0 (worst of this grid) to LEVELS (best); None where nothing is rendered yet."""
        mean = self.means.get(pair)
        if mean is None:
            return None
        best, worst = min(self.means.values()), max(self.means.values())
        return LEVELS if worst == best else round(LEVELS * (worst - mean) / (worst - best))

    def at(self, column: int, row: int) -> Pair | None:
        if 0 <= column < len(self.gpt) and 0 <= row < len(self.sovits):
            return self.gpt[column], self.sovits[row]
        return None

    def place(self, pair: Pair) -> tuple[int, int] | None:
        """Column and row of a pair."""
        if pair[0] in self.gpt and pair[1] in self.sovits:
            return self.gpt.index(pair[0]), self.sovits.index(pair[1])
        return None


def pair_grid(audition: Audition) -> PairGrid:
    costs: dict[Pair, list[float]] = defaultdict(list)
    for cell in audition.cells:
        if cell.kind == "cell":
            costs[cell.gpt, cell.sovits].append(cell.penalty)
    return PairGrid(
        tuple(sorted({gpt for gpt, _ in costs}, key=_natural)),
        tuple(sorted({sovits for _, sovits in costs}, key=_natural)),
        {pair: sum(found) / len(found) for pair, found in costs.items()},
    )


def cells_of(audition: Audition, pair: Pair) -> list[AuditionCell]:
    """The renderings of one pair, by sentence and reference."""
    mine = [c for c in audition.cells if c.kind == "cell" and (c.gpt, c.sovits) == pair]
    return sorted(mine, key=lambda cell: (cell.sentence, cell.reference))


def beside(audition: Audition, sentence: int = NO_SENTENCE) -> list[AuditionCell]:
    """What a sentence is compared with: its recording by the speaker, then the base model.

    Without a sentence: what says words of its own, as the clip that is imitated.
    """
    found = [c for c in audition.cells if c.kind != "cell" and c.sentence == sentence]
    return sorted(found, key=lambda cell: (_BESIDE.get(cell.kind, len(_BESIDE)), cell.reference))
