"""A look at one server's runs, and what each row of it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.contract.catalogue import text
from engine.contract.problem import Problem
from tui.console import Console

if TYPE_CHECKING:
    from remote.board import Board, Row


def look_once(board: Board) -> tuple[Row, ...] | Exception:
    """What stands there, or why that is not known: threads hand over what they may not raise."""
    try:
        return board.look()
    except Exception as error:  # noqa: BLE001  raised where it is received, unless a Problem
        return error


def known(look: tuple[Row, ...] | Exception) -> tuple[Row, ...] | Problem:
    """The look, or the Problem it ended with; anything else is a fault of ours and raised."""
    if isinstance(look, Exception) and not isinstance(look, Problem):
        raise look
    return look


def state_words(row: Row, console: Console) -> str:
    """The state's name; of a run that waits its turn, how many are before it."""
    if row.job.queued and not row.job.ended:
        return text("tui.ps.queued", ahead=row.job.queued).get(console.language)
    return text(f"tui.states.{row.job.state}").get(console.language)


def as_json(row: Row) -> dict[str, Any]:
    job, run = row.job, row.run
    return {
        "server": row.server, "run": job.run, "voice": run.voice, "state": job.state,
        "queued": job.queued, "code": job.code, "why": job.why.as_json(), "status": run.status,
        "stage": run.current,
        "stages": [
            {
                "name": s.name, "state": s.state, "step": s.step, "total": s.total,
                "updates": s.updates, "first_loss": s.first_loss, "last_loss": s.last_loss,
                "eta_s": s.eta_s,
            }
            for s in run.stages
        ],
    }  # fmt: skip
