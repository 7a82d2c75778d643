"""An audition on a server: a supervised run, followed from here.

What the engine renders lies in `auditions/VOICE`; its log holds one JSON line for each cell, so a
laptop that comes back reads from the beginning and misses nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from sovdeck.engine.contract.audition import AuditionCell, CellKind, Standing
from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.remote import filenames
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.engine_job import EngineJob, find_job, stop_job
from sovdeck.remote.speech.json_lines import (
    int_field,
    number_field,
    run_engine_command,
    text_field,
)
from sovdeck.remote.speech.takes import audition_folder
from sovdeck.remote.ssh.channel_reader import ConnectionSource
from sovdeck.remote.transfer.download.part_file import disk_errors
from sovdeck.remote.transfer.download.small_file import fetch_small_file

VOTES_FILE = "votes.jsonl"
_LIMIT_S = 120.0
# What a cell's row holds besides its metrics.
_CELL_FIELDS = frozenset(
    {
        "event",
        "of",
        "cell",
        "kind",
        "sentence",
        "text",
        "wav",
        "bytes",
        "sha256",
        "gpt",
        "sovits",
        "reference",
        "key",
        "seconds",
        "penalty",
        "weights",
    }
)
_MAX_METRICS = 32
_KINDS: Mapping[str, CellKind] = {kind: kind for kind in get_args(CellKind)}


@dataclass(frozen=True)
class AuditionSummary:
    """The end of an answer: how many votes were counted, and the pair that `pack` takes.

    chosen: file names of the GPT and the SoVITS weights. stale: cells spoken by weights that were
    trained again since; they are not ranked.
    """

    votes: int
    chosen: tuple[str, str] | None
    stale: int = 0


AuditionUpdate = AuditionCell | Standing | AuditionSummary


def start(
    session: ServerSession, voice: str, options: Sequence[str], *, queue: bool = False
) -> job_client.RunHandle:
    """Start rendering; `preflight.check_audition` says whether one of this voice is running.

    options: of `engine audition`. queue: wait on the server until the runs before it have ended.
    """
    deployed = session.require_deployment()
    work = str(deployed.layout.work)
    command = [deployed.python, "-m", "sovdeck.engine", "audition", voice, "--work", work, "--json"]
    run = f"{_prefix(voice)}{datetime.now():%Y%m%d-%H%M%S-%f}"
    return job_client.launch_job(
        session.connection(),
        deployed,
        run,
        [*command, *options],
        queue="wait" if queue else "join",
    )


def find_running(session: ServerSession, voice: str) -> job_client.RunHandle | None:
    """The audition of this voice that is being rendered now; None when there is none."""
    return find_job(session, _prefix(voice))


def _prefix(voice: str) -> str:
    # A run id is plain ASCII, a voice's name need not be.
    digest = hashlib.sha256(check_voice_name(voice).encode()).hexdigest()
    return f"{job_client.AUDITION_PREFIX}{digest[:8]}-"


class AuditionFollower:
    """Reads an audition's updates from its first cell on; `close` may come from any thread."""

    def __init__(self, connection_source: ConnectionSource, handle: job_client.RunHandle) -> None:
        self._job = EngineJob(
            connection_source,
            handle,
            stopped="remote.speak.audition_stopped",
            failed="remote.speak.audition_failed",
        )

    def close(self) -> None:
        """End `updates` in the thread that iterates it."""
        self._job.close()

    def updates(self) -> Iterator[AuditionUpdate]:
        """Yield updates until the run is over.

        Raises the engine's own Problem, or the one that says how the run ended.
        """
        for row in self._job.rows():
            update = _parse_update(row)
            if update is not None:
                yield update


def read_last(session: ServerSession, voice: str) -> list[AuditionUpdate]:
    """The last audition of a voice as it stands; the engine's Problem when there was none."""
    return _run_engine(session, voice, ["--show"])


def stop(session: ServerSession, voice: str) -> bool:
    """Stop the voice's running audition; False when there was none."""
    return stop_job(session, _prefix(voice))


def vote(
    session: ServerSession, voice: str, better: AuditionCell, worse: AuditionCell
) -> list[AuditionUpdate]:
    """Count one vote between two cells as they were played here; the new standings.

    The server counts; the vote is noted beside the sounds here too. Problem when one of them was
    rendered anew meanwhile and so sounds otherwise.
    """
    standings = _run_engine(session, voice, ["--vote", better.vote_id, worse.vote_id])
    _append_vote(local_folder(session, voice), better, worse)
    return standings


def local_folder(session: ServerSession, voice: str) -> Path:
    """The folder of this computer with the voice's auditioned sounds."""
    return audition_folder(session.outputs, voice)


def _append_vote(folder: Path, better: AuditionCell, worse: AuditionCell) -> None:
    record = {
        "better": better.name,
        "better_sha256": better.sha256,
        "worse": worse.name,
        "worse_sha256": worse.sha256,
    }
    path = folder / VOTES_FILE
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def choose_pair(session: ServerSession, voice: str, gpt: str, sovits: str) -> list[AuditionUpdate]:
    """Choose the pair of weights that `pack` takes; the standings."""
    return _run_engine(session, voice, ["--pick", gpt, sovits])


def _fetch_sound(session: ServerSession, voice: str, cell: AuditionCell) -> Path:
    """Download a cell's wav into `local_folder`, unless it is there; its path."""
    remote_path = session.layout().work / "auditions" / check_voice_name(voice) / cell.file
    size, sha256 = cell.bytes, cell.sha256
    return fetch_small_file(
        session.connection,
        str(remote_path),
        local_folder(session, voice) / cell.file,
        size=size,
        sha256=sha256,
    )


def fetch_sounds(
    session: ServerSession, voice: str, updates: Iterable[AuditionUpdate]
) -> Iterator[tuple[AuditionUpdate, Path | None]]:
    """Yield each update with its wav on this computer, None for what is no rendering."""
    for update in updates:
        if isinstance(update, AuditionCell):
            yield update, _fetch_sound(session, voice, update)
        else:
            yield update, None


def _run_engine(session: ServerSession, voice: str, args: list[str]) -> list[AuditionUpdate]:
    command = ["audition", voice, "--work", str(session.layout().work), *args]
    answers = run_engine_command(
        session.connection(), session.require_deployment(), command, timeout=_LIMIT_S
    )
    return [one for one in map(_parse_update, answers) if one is not None]


def _parse_update(row: Mapping[str, Any]) -> AuditionUpdate | None:
    """An update from a row of the engine; None for a row of another kind or without sense."""
    event = row.get("event")
    if event == "cell":
        return _parse_cell(row)
    if event == "standing":
        return Standing(
            text_field(row, "gpt"),
            text_field(row, "sovits"),
            number_field(row, "score") or 0.0,
            number_field(row, "penalty") or 0.0,
            int_field(row, "cells") or 0,
            int_field(row, "won") or 0,
            int_field(row, "lost") or 0,
        )
    if event == "ranked":
        pair = row.get("chosen")
        names = (
            [text_field({"name": one}, "name") for one in pair] if isinstance(pair, list) else []
        )
        chosen = (names[0], names[1]) if len(names) == 2 and all(names) else None
        return AuditionSummary(int_field(row, "votes") or 0, chosen, int_field(row, "stale") or 0)
    return None


def _parse_cell(row: Mapping[str, Any]) -> AuditionCell | None:
    file, kind = text_field(row, "wav"), _KINDS.get(text_field(row, "kind"))
    safe = filenames.is_safe_name(file) and file.endswith(".wav") and not file.startswith(".")
    if not safe or kind is None:
        return None
    metrics: dict[str, float | bool | None] = {}
    for name, value in list(row.items())[:_MAX_METRICS]:
        if name not in _CELL_FIELDS:
            metrics[name] = value if isinstance(value, bool) else number_field(row, name)
    return AuditionCell(
        text_field(row, "cell"),
        kind,
        int_field(row, "sentence") or 0,
        text_field(row, "text"),
        text_field(row, "gpt"),
        text_field(row, "sovits"),
        int_field(row, "reference") or 0,
        number_field(row, "seconds") or 0.0,
        number_field(row, "penalty") or 0.0,
        metrics,
        file,
        int_field(row, "bytes") or 0,
        text_field(row, "sha256"),
        int_field(row, "of") or 0,
    )
