"""Which pair of weights wins an audition: metrics first, the user's blind votes above them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sovdeck.engine.contract.audition import Standing

# How much penalty one vote outweighs: a listener who prefers one pair overrides what was measured
# unless the difference is gross.
_VOTE_WEIGHT = 0.5


def standings(
    rows: Iterable[Mapping[str, Any]], votes: Iterable[Mapping[str, Any]] = ()
) -> list[Standing]:
    """Rank pairs from best to worst.

    rows: audition rows with `cell`, `sha256`, `gpt`, `sovits`, `penalty`. votes: {"better": cell,
    "worse": cell}, and the `sha256` of what was heard of each as `better_sha256` and
    `worse_sha256`. A vote says nothing when it names an unknown cell, two cells of one pair, or
    a sound that is in the table no more: its weights were trained again since.
    """
    pairs: dict[tuple[str, str], list[float]] = defaultdict(list)
    pair_of: dict[str, tuple[str, str]] = {}
    sounds: dict[str, Any] = {}
    for row in rows:
        if row.get("kind", "cell") == "cell":
            pair = (str(row["gpt"]), str(row["sovits"]))
            pair_of[str(row["cell"])] = pair
            sounds[str(row["cell"])] = row.get("sha256")
            pairs[pair].append(float(row["penalty"]))
    won: dict[tuple[str, str], int] = defaultdict(int)
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for vote in votes:
        better, worse = (
            pair_of.get(str(vote.get(side))) if matches_sound(vote, side, sounds) else None
            for side in ("better", "worse")
        )
        if better and worse and better != worse:
            won[better] += 1
            lost[worse] += 1
    unordered = [
        _standing(pair, sum(cost) / len(cost), len(cost), won[pair], lost[pair])
        for pair, cost in pairs.items()
    ]
    return sorted(unordered, key=lambda standing: standing.score, reverse=True)


def matches_sound(vote: Mapping[str, Any], side: str, sounds: Mapping[str, Any]) -> bool:
    """Whether the sound that a vote was about is the one of its cell now.

    side: "better" or "worse". sounds: the SHA-256 of each cell. A vote that names no sound, as
    one typed by hand, is about the table as it stands.
    """
    voted_sha256 = vote.get(f"{side}_sha256")
    return voted_sha256 is None or voted_sha256 == sounds.get(str(vote.get(side)))


def _standing(pair: tuple[str, str], penalty: float, cells: int, won: int, lost: int) -> Standing:
    vote_count = won + lost
    score = -penalty + _VOTE_WEIGHT * (won - lost) / max(1, vote_count) * min(vote_count, 4)
    return Standing(*pair, score, penalty, cells, won, lost)
