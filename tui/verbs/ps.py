"""`sovdeck ps [SERVER]`: every run there and how it stands."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from engine.contract.catalogue import Language, text
from engine.contract.fold import RunState
from tui.console import Console, duration
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.job_state import JobState


HEADS = (
    "tui.options.head_run", "tui.options.head_voice", "tui.options.head_state",
    "tui.options.head_stage", "tui.options.head_progress", "tui.options.head_eta",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--last", type=int, default=10, metavar="N")


def run(args: argparse.Namespace, console: Console) -> int:
    from remote import job
    from remote.replay import read_state

    with open_studio(args, console) as studio:
        while True:
            layout = studio.layout()
            found = job.runs(studio.link(), layout)[-args.last :]
            rows = [tuple(text(head).get(console.language) for head in HEADS)]
            for state in found:
                replay = read_state(studio.link(), job.handle(layout, state.run))
                console.emit(as_json(state, replay.state))
                rows.append(as_row(state, replay.state, console.language))
            console.table(rows)
            if not found:
                console.say("tui.cli.no_runs", server=studio.name)
            if not args.watch:
                return 0
            time.sleep(2.0)
            console.write("")


def as_row(job: JobState, run: RunState, language: Language) -> tuple[str, ...]:
    stage = run.stage(run.current) if run.current else None
    progress = f"{stage.step}/{stage.total}" if stage else ""
    eta = duration(stage.eta_s) if stage and not job.ended else ""
    state = text(f"tui.states.{job.state}").get(language)
    return (job.run, run.voice or "-", state, run.current or "-", progress, eta)


def as_json(job: JobState, run: RunState) -> dict[str, Any]:
    return {
        "run": job.run, "voice": run.voice, "state": job.state, "code": job.code,
        "why": job.why.as_json(), "status": run.status, "stage": run.current,
        "stages": [
            {
                "name": s.name, "state": s.state, "step": s.step, "total": s.total,
                "updates": s.updates, "first_loss": s.first_loss, "last_loss": s.last_loss,
                "eta_s": s.eta_s,
            }
            for s in run.stages
        ],
    }  # fmt: skip
