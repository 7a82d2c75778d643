"""The rows that a supervised engine command writes into its log, read until it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.client import RunHandle
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import parse_engine_problem, parse_object
from sovdeck.remote.ssh.channel_reader import ConnectionSource
from sovdeck.remote.ssh.remote_tail import clean_line

STOP_GRACE_S = 10.0  # such a command saves nothing that would take longer


class EngineJob:
    """Reads a job's rows from its first one on; `close` may come from any thread.

    stopped, failed: keys of the Problems that say how the job ended.
    """

    def __init__(
        self, connection_source: ConnectionSource, handle: RunHandle, *, stopped: str, failed: str
    ) -> None:
        self._connection_source = connection_source
        self._handle = handle
        self._stopped, self._failed = stopped, failed
        self._log = job_client.follow_log(connection_source, handle)
        self._closed = False

    def close(self) -> None:
        """End `rows` in the thread that iterates it."""
        self._closed = True
        self._log.close()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield rows until the job is over.

        Raises the engine's own Problem, or the one that says how the job ended.
        """
        engine_problem: Problem | None = None
        last_text = ""
        for lines in self._log.batches():
            for line in lines:
                row = parse_object(line.data)
                if row is None:
                    last_text = clean_line(line.data).strip() or last_text
                    continue
                engine_problem = parse_engine_problem(row) or engine_problem
                yield row
        if self._closed:
            return
        if engine_problem is not None:
            raise engine_problem
        state = job_client.fetch_state(self._connection_source(), self._handle)
        if state.state == "stopped":
            raise Problem(self._stopped, ExitCode.INTERRUPTED)
        if state.code != 0:
            # What a killed one printed before is no cause of its end.
            why = (last_text[:300] if state.state == "failed" else "") or state.why
            server, run = self._connection_source().name, self._handle.run_id
            raise Problem(self._failed, ExitCode.INTERNAL, why=why, server=server, run=run)


def find_job(session: ServerSession, prefix: str) -> RunHandle | None:
    """The job that goes on or waits whose id begins with `prefix`; None when there is none."""
    layout = session.layout()
    for state in job_client.list_runs(session.connection(), layout, services=True):
        if state.run_id.startswith(prefix) and state.active:
            return job_client.make_handle(layout, state.run_id)
    return None


def stop_job(session: ServerSession, prefix: str) -> bool:
    """Stop the job whose id begins with `prefix`; False when there was none."""
    handle = find_job(session, prefix)
    if handle is not None:
        job_client.stop_run(session.connection(), handle, STOP_GRACE_S)
    return handle is not None
