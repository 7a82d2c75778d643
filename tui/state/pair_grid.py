"""An audition as a grid: SoVITS epochs down, GPT epochs across, the mean penalty in each. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.engine.contract.layout import weight_epoch
from sovdeck.tui.state.speech_models import AuditionState

LEVELS = 4
NO_SENTENCE = -1  # the number of what is heard beside the sentences of a grid
WeightPair = tuple[str, str]  # GPT file, SoVITS file

_COMPARISON_ORDER = {"truth": 0, "base": 1}


def epoch_of(name: str) -> int | None:
    """The epoch in a weight's file name: `Mika-e15.ckpt`, `Mika_e16_s2240.pth`."""
    found = weight_epoch(name)
    return found[0] if found is not None else None


def weight_label(name: str) -> str:
    """A weight's short label: e15, v2Pro e15, else its listed name without the ending."""
    epoch = epoch_of(name)
    if epoch is None:
        return name.rsplit(".", 1)[0]
    return f"{name.partition('/')[0]} e{epoch}" if "/" in name else f"e{epoch}"


def _epoch_order(name: str) -> tuple[str, int, str]:
    epoch = epoch_of(name)
    return (name.rpartition("/")[0], -1 if epoch is None else epoch, name)


@dataclass(frozen=True)
class PairGrid:
    """Axes in order of epochs; `means` has the pairs of which something is rendered."""

    gpt: tuple[str, ...] = ()
    sovits: tuple[str, ...] = ()
    means: Mapping[WeightPair, float] = field(default_factory=dict)

    def level(self, pair: WeightPair) -> int | None:
        """0 (worst of this grid) to LEVELS (best); None where nothing is rendered yet."""
        mean = self.means.get(pair)
        if mean is None:
            return None
        best, worst = min(self.means.values()), max(self.means.values())
        return LEVELS if worst == best else round(LEVELS * (worst - mean) / (worst - best))

    def pair_at(self, column: int, row: int) -> WeightPair | None:
        """The pair in a cell of the grid; None outside."""
        if 0 <= column < len(self.gpt) and 0 <= row < len(self.sovits):
            return self.gpt[column], self.sovits[row]
        return None

    def position_of(self, pair: WeightPair) -> tuple[int, int] | None:
        """Column and row of a pair."""
        if pair[0] in self.gpt and pair[1] in self.sovits:
            return self.gpt.index(pair[0]), self.sovits.index(pair[1])
        return None


def pair_grid(audition: AuditionState) -> PairGrid:
    """The grid of an audition's cells."""
    costs: dict[WeightPair, list[float]] = defaultdict(list)
    for cell in audition.cells:
        if cell.kind == "cell":
            costs[cell.gpt, cell.sovits].append(cell.penalty)
    return PairGrid(
        tuple(sorted({gpt for gpt, _ in costs}, key=_epoch_order)),
        tuple(sorted({sovits for _, sovits in costs}, key=_epoch_order)),
        {pair: sum(found) / len(found) for pair, found in costs.items()},
    )


def cells_of(audition: AuditionState, pair: WeightPair) -> list[AuditionCell]:
    """The renderings of one pair, by sentence and reference."""
    mine = [c for c in audition.cells if c.kind == "cell" and (c.gpt, c.sovits) == pair]
    return sorted(mine, key=lambda cell: (cell.sentence, cell.reference))


def comparison_cells(audition: AuditionState, sentence: int = NO_SENTENCE) -> list[AuditionCell]:
    """What a sentence is compared with: the speaker's recording, then the base model.

    Without a sentence: cells that have a text of their own, as the reference clip.
    """
    found = [c for c in audition.cells if c.kind != "cell" and c.sentence == sentence]
    return sorted(
        found,
        key=lambda cell: (_COMPARISON_ORDER.get(cell.kind, len(_COMPARISON_ORDER)), cell.reference),
    )
