"""An audition as the dashboard and the command line hold it, grown by what its engine tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from remote import audition as far
from tui.state.speech import Audition, AuditionCell, CellKind, Standing

_KINDS: dict[str, CellKind] = {"truth": "truth", "base": "base", "cell": "cell"}


def grown(rows: Audition, told: far.Told, wav: Path | None = None) -> Audition:
    """`rows` with one more row; `wav` is the file of a cell on this computer."""
    if isinstance(told, far.Cell):
        cell = AuditionCell(
            told.name, _KINDS[told.kind], told.sentence, told.text, told.gpt, told.sovits,
            told.reference, told.seconds, told.penalty, told.marks,
            None if wav is None else str(wav),
        )  # fmt: skip
        return replace(rows, cells=(*rows.cells, cell), total=told.total)
    if isinstance(told, far.Standing):
        return replace(rows, standings=(*rows.standings, Standing(**vars(told))))
    return replace(rows, votes=told.votes, chosen=told.chosen)


def reranked(rows: Audition, told: Iterable[far.Told]) -> Audition:
    """`rows` with the standings of a new answer."""
    rows = replace(rows, standings=())
    for one in told:
        if not isinstance(one, far.Cell):
            rows = grown(rows, one)
    return rows
