"""`sovdeck deploy [SERVER] [--dry-run]`: install the engine on the server, without root."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from sovdeck.engine.contract.spec import TINY_PRESETS
from sovdeck.remote.deploy import DeployStep, StepReport
from sovdeck.remote.preflight.weights import find_weights
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session
from sovdeck.tui.cli.weights_offer import offer_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck deploy`."""
    add_server_argument(parser)
    parser.add_argument("--dry-run", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Deploy, or print the plan with `--dry-run`."""
    with open_session(args, console) as session:
        if args.dry_run:
            for step in session.plan_deploy().steps:
                print_step(step, console)
            return 0
        started = time.monotonic()
        report = DeployStepPrinter(console)
        deployed = session.deploy(report, lambda steps: _announce(steps, console))
        seconds = time.monotonic() - started
        facts = {
            "work": str(deployed.layout.work),
            "python": deployed.python,
            "code": deployed.code_sha,
            "uploaded": report.uploads,
            "seconds": round(seconds, 2),
        }
        console.print_message("tui.cli.deployed", name=session.name, **facts)
        for sentence in session.stop_texts():
            console.print_line(sentence.get(console.language))
        offer_missing_weights(session, console)
        console.print_json({"status": "ok", "server": session.name, **facts})
    return 0


def offer_missing_weights(session: ServerSession, console: Console) -> None:
    """Offer the weights that the preset of deploy.toml starts from; else say how to get them."""
    preset = session.config.train.preset
    if preset in TINY_PRESETS or not session.config.train.pretrained:
        return
    weights = find_weights(session, preset, session.config.train.pretrained)
    if weights.whole or offer_weights(session, weights, console):
        return
    console.print_message(
        "tui.cli.weights_lack",
        server=session.name,
        version=weights.version,
        megabytes=weights.megabytes,
    )


def print_step(step: DeployStep, console: Console) -> None:
    """Print what a step would do, and whether the server still needs it."""
    mark = "do  " if step.needed else "keep"
    console.print_json(
        {"step": step.name, "needed": step.needed, "what": step.description.as_json()}
    )
    console.print_line(f"{mark}  {step.name}: {step.description.get(console.language)}")


def _announce(steps: Sequence[DeployStep], console: Console) -> None:
    """Print what will be installed and why, before gigabytes are on their way."""
    for step in steps:
        if step.name == "python":
            print_step(step, console)


class DeployStepPrinter:
    """Prints each step of a deploy, and counts the uploads of code."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.uploads = 0

    def __call__(self, step: StepReport) -> None:
        """Print one step; a running step is shown on the status line."""
        self.uploads += step.name == "code" and step.state == "done"
        self._console.print_json({"step": step.name, "state": step.state, "detail": step.detail})
        if step.state == "doing":
            self._console.show_status(f"{step.name} ... {step.detail}"[:100])
        else:
            self._console.print_line(f"{step.state:<5} {step.name}  {step.detail}".rstrip())
