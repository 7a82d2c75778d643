"""`sovdeck doctor [SERVER]`: probe a server in one round trip and say what to do."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sovdeck.remote.probe.diagnosis import diagnose
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.diagnosis_lines import print_diagnoses
from sovdeck.tui.cli.server_argument import add_server_argument, open_session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck doctor`."""
    add_server_argument(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Print each diagnosis with its advice."""
    with open_session(args, console) as session:
        facts = session.facts(check_access=True, check_hubs=True)
        # Nobody rents this computer: there is no provider to tell of, and no stop.
        profile = None if session.server.embedded else session.profile(facts)
        diagnoses = diagnose(facts, session.connection().spec.host, profile)
    print_diagnoses(diagnoses, console)
    console.print_json(
        {"status": "ok", "facts": asdict(facts), "diagnosis": [d.as_json() for d in diagnoses]}
    )
    return 0
