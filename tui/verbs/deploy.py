"""`sovdeck deploy [SERVER] [--dry-run]`: the engine on the server, without root."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from tui.console import Console
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.deploy import StepReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--dry-run", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    with open_studio(args, console) as studio:
        if args.dry_run:
            for step in studio.plan_deploy():
                mark = "do  " if step.needed else "keep"
                console.emit(
                    {"step": step.name, "needed": step.needed, "what": step.what.as_json()}
                )
                console.write(f"{mark}  {step.name}: {step.what.get(console.language)}")
            return 0
        started = time.monotonic()
        report = Steps(console)
        deployed = studio.deploy(report)
        seconds = time.monotonic() - started
        facts = {
            "work": str(deployed.layout.work), "python": deployed.python,
            "code": deployed.code_sha, "uploaded": report.uploads, "seconds": round(seconds, 2),
        }  # fmt: skip
        console.say("tui.cli.deployed", name=studio.name, **facts)
        console.emit({"status": "ok", "server": studio.name, **facts})
    return 0


class Steps:
    """Prints what a deploy does, and counts the uploads of code."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.uploads = 0

    def __call__(self, step: StepReport) -> None:
        self.uploads += step.name == "code" and step.state == "done"
        self._console.emit({"step": step.name, "state": step.state, "detail": step.detail})
        if step.state == "doing":
            self._console.live(f"{step.name} ... {step.detail}"[:100])
        else:
            self._console.write(f"{step.state:<5} {step.name}  {step.detail}".rstrip())
