"""`sovdeck stop [SERVER] [--run RUN]`: let a run save and end; the one that is going by default."""

from __future__ import annotations

import argparse

from sovdeck.engine.contract.number_options import amount
from sovdeck.remote.jobs.client import STOP_GRACE_S
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck stop`."""
    add_server_argument(parser)
    parser.add_argument("--run")
    parser.add_argument("--grace", type=amount(0, 86_400), default=STOP_GRACE_S)


def run(args: argparse.Namespace, console: Console) -> int:
    """Stop the run; it is killed when `--grace` seconds have passed."""
    with open_session(args, console) as session:
        state = session.stop(args.run, args.grace)
        console.print_message("tui.cli.stopped", run=state.run_id, state=state.state)
        console.print_json(
            {"status": "ok", "run": state.run_id, "state": state.state, "code": state.code}
        )
    return 0
