"""Remembers on this computer what ended runs came to: an ended run is read once, ever."""

from __future__ import annotations

import json
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.run_summary import RunSummary, parse_summary
from sovdeck.remote.jobs.state import JobState

_LIMIT_BYTES = 1 << 20  # far above a summary's first line, which is what is kept


class EndedRuns:
    """A folder with one small file for each ended run, below the id of its server's disk.

    A run that was started again has another attempt: then it counts as unknown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, job: JobState) -> RunSummary | None:
        """The summary of an ended run; None where it is not known."""
        path = self._path(job)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                identity, _, line = file.read(_LIMIT_BYTES).partition(b"\n")
        except FileNotFoundError:
            return None
        return parse_summary(line) if identity == _identity(job) else None

    def remember(self, job: JobState, summary: RunSummary) -> None:
        """Keep the summary of a run that has ended; of others nothing is kept."""
        path = self._path(job)
        if path is not None:
            line = summary.first_line().encode("utf-8")
            write_atomic(path, _identity(job) + b"\n" + line, durable=False, mode=0o600)

    def _path(self, job: JobState) -> Path | None:
        if not job.ended or not job.server_id:
            return None
        return self._folder / job.server_id / f"{job.run_id}.json"


def _identity(job: JobState) -> bytes:
    return json.dumps([job.run_id, job.attempt, job.state, job.code, job.since]).encode()
