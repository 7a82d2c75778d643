"""The runs of one server: the state of each, and what its events say."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.fold import RunState
from sovdeck.engine.contract.run_summary import RunSummary
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.run_summaries import fetch_summaries, follow_summary
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.servers.ended_runs import EndedRuns
from sovdeck.remote.servers.server import ServerSession

_RUNNING_ON_EVERY_S = 60.0  # a server that should be off is looked for no more often


@dataclass(frozen=True)
class RunRow:
    """One run: its state as the supervisor reports it, and the fold of its events so far.

    The lists of `run` hold their newest entries, not all of them; see `RunSummary.first_line`.
    """

    server: str
    job: JobState
    run: RunState


class RunList:
    """Fetches the runs of one server again and again; events that were read are not read twice."""

    def __init__(self, session: ServerSession, last: int) -> None:
        self.session = session
        self._last = last
        # What has to be told of a server that should be off, as of the last minute's first `fetch`.
        self.running_on: Text | None = None
        self._next_running_on = 0.0
        self._ended = EndedRuns(session.app_paths.ended_runs_folder)
        self._known: dict[str, tuple[JobState, RunSummary]] = {}

    def fetch(self) -> tuple[RunRow, ...]:
        """The newest runs, oldest first; Problem when the server cannot be asked."""
        connection, deployed = self.session.connection(), self.session.require_deployment()
        if time.monotonic() >= self._next_running_on:
            self.running_on = self.session.running_on_warning()
            self._next_running_on = time.monotonic() + _RUNNING_ON_EVERY_S
        jobs = job_client.list_runs(connection, deployed.layout)[-self._last :]
        for job in jobs:
            before, summary = self._known.get(job.run_id, (job, None))
            if summary is None:
                summary = self._ended.find(job)
            # An ended attempt writes nothing more; what it wrote was read after it had ended.
            elif not (before.ended and before.attempt == job.attempt):
                summary = follow_summary(connection, deployed, job.run_id, summary)
                self._ended.remember(job, summary)
            if summary is not None:
                self._known[job.run_id] = job, summary.without_history()
        unknown = [job for job in jobs if job.run_id not in self._known]
        fetched = fetch_summaries(connection, deployed, [job.run_id for job in unknown])
        for job in unknown:
            self._known[job.run_id] = job, fetched[job.run_id].without_history()
            self._ended.remember(job, fetched[job.run_id])
        name = self.session.name
        return tuple(RunRow(name, job, self._known[job.run_id][1].state) for job in jobs)
