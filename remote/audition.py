"""An audition on a server: a supervised run that needs nobody, watched from here.

What the engine renders lies in `auditions/VOICE`; its log tells each cell as it appears, so a
laptop that comes back reads from the beginning and misses nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from engine.contract.audition import AuditionCell, CellKind, Standing
from engine.contract.layout import check_name
from engine.contract.problem import ExitCode, Problem
from remote import job, local_names
from remote.engine_talk import engine_answers, number_in, refusal, text_in, whole_in
from remote.listener import LinkSource
from remote.small_file import fetch_small
from remote.studio import Studio
from remote.tail import clean_line

_LIMIT_S = 120.0
# What a row holds besides its marks.
_FACTS = frozenset(
    {"event", "of", "cell", "kind", "sentence", "text", "wav", "bytes", "sha256", "gpt", "sovits",
     "reference", "key", "seconds", "penalty", "weights"}
)  # fmt: skip
_MOST_MARKS = 32
_KINDS: Mapping[str, CellKind] = {kind: kind for kind in get_args(CellKind)}


@dataclass(frozen=True)
class Ranked:
    """The end of an answer: how many votes were counted, and the pair that pack takes.

    `stale` cells were spoken by weights that were trained again since; they have no place.
    """

    votes: int
    chosen: tuple[str, str] | None
    stale: int = 0


Told = AuditionCell | Standing | Ranked


def start(studio: Studio, voice: str, options: Sequence[str]) -> tuple[job.RunHandle, bool]:
    """Start rendering, or find the audition of this voice that is still at work.

    options: of `engine audition`. Returns the run, and whether it is a new one.
    """
    standing = at_work(studio, voice)
    if standing is not None:
        return standing, False
    deployed = studio.deployed()
    work = str(deployed.layout.work)
    command = [deployed.python, "-m", "engine", "audition", voice, "--work", work, "--json"]
    run = f"{_prefix(voice)}{datetime.now():%Y%m%d-%H%M%S-%f}"
    return job.launch(studio.link(), deployed, run, [*command, *options]), True


def at_work(studio: Studio, voice: str) -> job.RunHandle | None:
    """The audition of this voice that is being rendered now."""
    layout = studio.layout()
    for state in job.runs(studio.link(), layout, services=True):
        if state.run.startswith(_prefix(voice)) and not state.ended:
            return job.handle(layout, state.run)
    return None


def _prefix(voice: str) -> str:
    # A run id is plain ASCII, a voice's name need not be.
    return f"{job.AUDITION}{hashlib.sha256(check_name(voice).encode()).hexdigest()[:8]}-"


class Watch:
    """What an audition tells from its first cell on; `close` may come from any thread."""

    def __init__(self, link_source: LinkSource, handle: job.RunHandle) -> None:
        self._link_source = link_source
        self._handle = handle
        self._log = job.log(link_source, handle)
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._log.close()

    def told(self) -> Iterator[Told]:
        """Until the run is over. Raises the engine's own refusal, or how the run ended."""
        refused: Problem | None = None
        said = ""
        for lines in self._log.batches():
            for line in lines:
                row = _object(line.data)
                if row is None:
                    said = clean_line(line.data).strip() or said
                    continue
                refused = refusal(row) or refused
                one = _told(row)
                if one is not None:
                    yield one
        if self._closed:
            return
        if refused is not None:
            raise refused
        state = job.state(self._link_source(), self._handle)
        if state.state == "stopped":
            raise Problem("remote.speak.audition_stopped", ExitCode.INTERRUPTED)
        if state.code != 0:
            why = said[:300] or state.why.en
            raise Problem("remote.speak.audition_failed", ExitCode.INTERNAL, why=why)


def recall(studio: Studio, voice: str) -> list[Told]:
    """The last audition of a voice as it stands; the engine's Problem when there was none."""
    return _ask(studio, voice, ["--show"])


def vote(studio: Studio, voice: str, better: AuditionCell, worse: AuditionCell) -> list[Told]:
    """Count one vote between two cells as they were heard here; the new standings.

    Problem when one of them was rendered anew meanwhile and so sounds otherwise.
    """
    return _ask(studio, voice, ["--vote", better.sound, worse.sound])


def choose(studio: Studio, voice: str, gpt: str, sovits: str) -> list[Told]:
    """Let pack take this pair; the standings."""
    return _ask(studio, voice, ["--pick", gpt, sovits])


def fetch(studio: Studio, voice: str, cell: AuditionCell, folder: Path) -> Path:
    """Bring a cell's sound into `folder`, once."""
    there = studio.layout().work / "auditions" / check_name(voice) / cell.file
    size, sha256 = cell.bytes, cell.sha256
    return fetch_small(studio.link, str(there), folder / cell.file, size=size, sha256=sha256)


def _ask(studio: Studio, voice: str, args: list[str]) -> list[Told]:
    command = ["audition", voice, "--work", str(studio.layout().work), *args]
    answers = engine_answers(studio.link(), studio.deployed(), command, timeout=_LIMIT_S)
    return [one for one in map(_told, answers) if one is not None]


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data) if data.startswith(b"{") else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _told(row: Mapping[str, Any]) -> Told | None:
    """A row of the engine as one of ours; None for what is none, or makes no sense."""
    event = row.get("event")
    if event == "cell":
        return _cell(row)
    if event == "standing":
        return Standing(
            text_in(row, "gpt"), text_in(row, "sovits"), number_in(row, "score") or 0.0,
            number_in(row, "penalty") or 0.0, whole_in(row, "cells") or 0,
            whole_in(row, "won") or 0, whole_in(row, "lost") or 0,
        )  # fmt: skip
    if event == "ranked":
        pair = row.get("chosen")
        names = [text_in({"name": one}, "name") for one in pair] if isinstance(pair, list) else []
        chosen = (names[0], names[1]) if len(names) == 2 and all(names) else None
        return Ranked(whole_in(row, "votes") or 0, chosen, whole_in(row, "stale") or 0)
    return None


def _cell(row: Mapping[str, Any]) -> AuditionCell | None:
    file, kind = text_in(row, "wav"), _KINDS.get(text_in(row, "kind"))
    safe = local_names.is_safe(file) and file.endswith(".wav") and not file.startswith(".")
    if not safe or kind is None:
        return None
    marks: dict[str, float | bool | None] = {}
    for name, value in list(row.items())[:_MOST_MARKS]:
        if name not in _FACTS:
            marks[name] = value if isinstance(value, bool) else number_in(row, name)
    return AuditionCell(
        text_in(row, "cell"), kind, whole_in(row, "sentence") or 0, text_in(row, "text"),
        text_in(row, "gpt"), text_in(row, "sovits"), whole_in(row, "reference") or 0,
        number_in(row, "seconds") or 0.0, number_in(row, "penalty") or 0.0, marks, file,
        whole_in(row, "bytes") or 0, text_in(row, "sha256"), whole_in(row, "of") or 0,
    )  # fmt: skip
