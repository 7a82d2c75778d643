"""`sovdeck stop [SERVER] --run RUN`: the engine saves first, then ends."""

from __future__ import annotations

import argparse

from tui.console import Console
from tui.target import add_server, open_studio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("--run", required=True)
    parser.add_argument("--grace", type=float, default=60.0)


def run(args: argparse.Namespace, console: Console) -> int:
    from remote import job

    with open_studio(args, console) as studio:
        state = job.stop(studio.link(), studio.run(args.run), args.grace)
        console.say("tui.cli.stopped", run=state.run, state=state.state)
        console.emit({"status": "ok", "run": state.run, "state": state.state, "code": state.code})
    return 0
