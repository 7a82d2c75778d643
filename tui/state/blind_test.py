"""Blind A/B comparisons: which renderings are compared, in random order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.tui.state.pair_grid import WeightPair
from sovdeck.tui.state.speech_models import AuditionState

MAX_COMPARISONS = 10  # comparisons a sitting: ears tire
MAX_COMPARED_PAIRS = 4  # pairs compared: the best by marks and earlier votes


@dataclass(frozen=True)
class AbComparison:
    """The same sentence by two weight pairs; `a` is played first."""

    a: AuditionCell
    b: AuditionCell


def make_comparisons(
    audition: AuditionState, random: Random, limit: int = MAX_COMPARISONS
) -> list[AbComparison]:
    """At most `limit` comparisons among the best pairs, each pair played about equally often.

    Only cells with a sound file here are taken. Empty when there are not two pairs.
    """
    candidates = _comparable_cells(audition)
    random.shuffle(candidates)
    heard: Counter[WeightPair] = Counter()
    chosen: list[AbComparison] = []
    while candidates and len(chosen) < limit:
        cells = min(candidates, key=lambda found: sum(heard[_weight_pair(cell)] for cell in found))
        candidates.remove(cells)
        heard.update(map(_weight_pair, cells))
        a, b = random.sample(cells, 2)
        chosen.append(AbComparison(a, b))
    return chosen


def has_comparison(audition: AuditionState) -> bool:
    """Whether there is anything to vote on."""
    return bool(_comparable_cells(audition))


def _comparable_cells(audition: AuditionState) -> list[tuple[AuditionCell, AuditionCell]]:
    """Renderings of the best pairs that say the same after the same reference, by twos."""
    pairs = [(one.gpt, one.sovits) for one in audition.standings[:MAX_COMPARED_PAIRS]]
    sounds = {
        (cell.gpt, cell.sovits, cell.sentence, cell.reference): cell
        for cell in audition.cells
        if cell.kind == "cell" and cell.wav
    }
    conditions = sorted({(sentence, reference) for *_, sentence, reference in sounds})
    return [
        (sounds[one + spot], sounds[other + spot])
        for one, other in combinations(pairs, 2)
        for spot in conditions
        if one + spot in sounds and other + spot in sounds
    ]


def _weight_pair(cell: AuditionCell) -> WeightPair:
    return cell.gpt, cell.sovits


def tally(votes: Sequence[tuple[AuditionCell, AuditionCell]]) -> list[tuple[WeightPair, int, int]]:
    """Pairs with how often they won and lost in `votes` (better, worse), most won first."""
    won = Counter(_weight_pair(better) for better, _ in votes)
    lost = Counter(_weight_pair(worse) for _, worse in votes)
    pairs = sorted(set(won) | set(lost), key=lambda pair: (lost[pair] - won[pair], pair))
    return [(pair, won[pair], lost[pair]) for pair in pairs]
