"""An audition as the dashboard and the command line hold it, grown by what its engine tells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from remote import audition as far
from remote.transfer.part_file import disk_errors
from tui.state.speech import Audition, AuditionCell, AuditionDraft, CellKind, Standing

VOTES = "votes.jsonl"
_KINDS: Mapping[str, CellKind] = {kind: kind for kind in get_args(CellKind)}


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


def options_of(draft: AuditionDraft) -> list[str]:
    """A draft as options of `engine audition`."""
    words = ["--text-lang", draft.text_language, "--references", str(draft.references)]
    words += ["--seed", str(draft.seed)]
    words += ["--gpt", *draft.gpt] if draft.gpt else []
    words += ["--sovits", *draft.sovits] if draft.sovits else []
    return words + [f"--text={text}" for text in draft.texts]  # a text may begin with a dash


def keep_vote(folder: Path, better: str, worse: str) -> None:
    """Note a vote beside the sounds it was about; the server counts its own."""
    line = json.dumps({"better": better, "worse": worse}, ensure_ascii=False)
    path = folder / VOTES
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
