"""`prepare`: a voice's recordings become features."""

from __future__ import annotations

import argparse

from sovdeck.engine.commands.run import run_spec
from sovdeck.engine.commands.spec_arguments import add_spec_arguments, write_spec

NAME = "prepare"
HELP = "make phones, features and tokens of a voice's recordings; goes on where it was stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `prepare`."""
    add_spec_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write a spec of the one stage and run it."""
    return run_spec(write_spec(args, ("prepare",)), args.work, as_json=args.json)
