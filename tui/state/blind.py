"""Blind comparisons: which two renderings are heard, in an order that tells nothing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from engine.contract.audition import AuditionCell
from tui.state.pair_grid import Pair
from tui.state.speech import Audition

MOST = 10  # comparisons a sitting: ears tire
CONTENDERS = 4  # pairs compared: the best by marks and earlier votes


@dataclass(frozen=True)
class Duel:
    """The same words by two pairs; `a` is heard first."""

    a: AuditionCell
    b: AuditionCell


def duels(audition: Audition, random: Random, most: int = MOST) -> list[Duel]:
    """At most `most` comparisons among the best pairs, each pair heard about equally often.

    Only renderings whose sound is here are taken. Empty when there are not two pairs.
    """
    pairs = [(one.gpt, one.sovits) for one in audition.standings[:CONTENDERS]]
    sounds = {
        (cell.gpt, cell.sovits, cell.sentence, cell.reference): cell
        for cell in audition.cells
        if cell.kind == "cell" and cell.wav
    }
    spots = sorted({(sentence, reference) for *_, sentence, reference in sounds})
    waiting = [
        (sounds[one + spot], sounds[other + spot])
        for one, other in combinations(pairs, 2)
        for spot in spots
        if one + spot in sounds and other + spot in sounds
    ]
    random.shuffle(waiting)
    heard: Counter[Pair] = Counter()
    chosen: list[Duel] = []
    while waiting and len(chosen) < most:
        two = min(waiting, key=lambda found: sum(heard[_pair(cell)] for cell in found))
        waiting.remove(two)
        heard.update(map(_pair, two))
        a, b = random.sample(two, 2)
        chosen.append(Duel(a, b))
    return chosen


def _pair(cell: AuditionCell) -> Pair:
    return cell.gpt, cell.sovits


def tally(votes: Sequence[tuple[AuditionCell, AuditionCell]]) -> list[tuple[Pair, int, int]]:
    """Pairs with how often they won and lost in `votes` (better, worse), most won first."""
    won = Counter(_pair(better) for better, _ in votes)
    lost = Counter(_pair(worse) for _, worse in votes)
    pairs = sorted(set(won) | set(lost), key=lambda pair: (lost[pair] - won[pair], pair))
    return [(pair, won[pair], lost[pair]) for pair in pairs]
