"""Fetch the runs of a server, and format them as text or JSON."""

from __future__ import annotations

from typing import Any

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.servers.run_list import RunList, RunRow
from sovdeck.tui.cli.console import Console
from sovdeck.tui.state.runs import failure_text


def fetch_runs(run_list: RunList) -> tuple[RunRow, ...] | Exception:
    """The runs, or the exception: a thread hands over what it must not raise."""
    try:
        return run_list.fetch()
    except Exception as error:  # noqa: BLE001  raised where it is received, unless a Problem
        return error


def raise_unexpected(result: tuple[RunRow, ...] | Exception) -> tuple[RunRow, ...] | Problem:
    """Return rows or a Problem; raise any other exception."""
    if isinstance(result, Exception) and not isinstance(result, Problem):
        raise result
    return result


def state_text(row: RunRow, console: Console) -> str:
    """The name of a run's state; of a queued run also how many are ahead of it."""
    if row.job.queued and not row.job.ended:
        return text("tui.ps.queued", ahead=row.job.queued).get(console.language)
    return text(f"tui.states.{row.job.state}").get(console.language)


def run_failure(row: RunRow) -> Text | None:
    """Why a run did not succeed, in its own words where it left any, with what to do."""
    return failure_text(row.job.state, row.run, row.job.why)


def row_json(row: RunRow) -> dict[str, Any]:
    """One run with its stages as a JSON object."""
    job, run = row.job, row.run
    return {
        "server": row.server,
        "run": job.run_id,
        "voice": run.voice,
        "state": job.state,
        "queued": job.queued,
        "code": job.code,
        "why": job.why.as_json(),
        "problem": failure.as_json() if (failure := run_failure(row)) is not None else None,
        "status": run.status,
        "stage": run.current,
        "stages": [
            {
                "name": s.name,
                "state": s.state,
                "step": s.step,
                "total": s.total,
                "updates": s.updates,
                "first_loss": s.first_loss,
                "last_loss": s.last_loss,
                "eta_s": s.eta_s,
            }
            for s in run.stages
        ],
    }
