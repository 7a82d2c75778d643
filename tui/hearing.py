"""An audition as the dashboard and the command line hold it, grown by what its engine tells."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.contract.audition import AuditionCell, Standing
from remote import audition as far
from remote.transfer.part_file import disk_errors
from tui.state.speech import Audition, AuditionDraft

VOTES = "votes.jsonl"


def grown(rows: Audition, told: far.Told, wav: Path | None = None) -> Audition:
    """`rows` with one more row; `wav` is the file of a cell on this computer."""
    if isinstance(told, AuditionCell):
        cell = replace(told, wav=None if wav is None else str(wav))
        return replace(rows, cells=(*rows.cells, cell), total=told.total)
    if isinstance(told, Standing):
        return replace(rows, standings=(*rows.standings, told))
    return replace(rows, votes=told.votes, chosen=told.chosen, stale=told.stale)


def reranked(rows: Audition, told: Iterable[far.Told]) -> Audition:
    """`rows` with the standings of a new answer."""
    rows = replace(rows, standings=())
    for one in told:
        if not isinstance(one, AuditionCell):
            rows = grown(rows, one)
    return rows


def options_of(draft: AuditionDraft) -> list[str]:
    """A draft as options of `engine audition`."""
    words = ["--text-lang", draft.text_language, "--references", str(draft.references)]
    words += ["--seed", str(draft.seed)]
    words += ["--verify", str(draft.rerolls)] if draft.rerolls else []
    words += ["--gpt", *draft.gpt] if draft.gpt else []
    words += ["--sovits", *draft.sovits] if draft.sovits else []
    return words + [f"--text={text}" for text in draft.texts]  # a text may begin with a dash


def keep_vote(folder: Path, better: AuditionCell, worse: AuditionCell) -> None:
    """Note a vote beside the sounds it was about; the server counts its own."""
    vote = {
        "better": better.name, "better_sha256": better.sha256,
        "worse": worse.name, "worse_sha256": worse.sha256,
    }  # fmt: skip
    line = json.dumps(vote, ensure_ascii=False)
    path = folder / VOTES
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
