"""The runs that go on on a server now, and what is said of them before another one starts."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession, is_training_run


def find_active_runs(session: ServerSession) -> tuple[str, ...]:
    """Ids of the voices' runs that work or wait there, oldest first. One round trip."""
    jobs = job_client.list_runs(session.connection(), session.layout())
    return tuple(job.run_id for job in jobs if job.active and is_training_run(job.run_id))


def busy_problem(session: ServerSession, run: str) -> Problem:
    """The problem of a run that would start beside `run` without anybody having asked for it."""
    return Problem("remote.models.busy", ExitCode.CONFIG, server=session.name, run=run)


def beside_text(session: ServerSession, run: str) -> Text:
    """What to expect of speaking while `run` goes on."""
    return text("remote.models.beside", server=session.name, run=run)
