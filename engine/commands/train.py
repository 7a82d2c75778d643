"""`train`: one training stage, or both."""

from __future__ import annotations

import argparse

from sovdeck.engine.commands.run import run_spec
from sovdeck.engine.commands.spec_arguments import add_spec_arguments, write_spec

NAME = "train"
HELP = "train a prepared voice; goes on from its saved state"
_STAGES = {"sovits": ("sovits",), "gpt": ("gpt",), "all": ("sovits", "gpt")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `train`."""
    parser.add_argument("stage", choices=tuple(_STAGES))
    add_spec_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write a spec of the chosen stages and run it."""
    return run_spec(write_spec(args, _STAGES[args.stage]), args.work, as_json=args.json)
