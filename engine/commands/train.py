"""`train`: one training stage, or both."""

from __future__ import annotations

import argparse

from engine.commands.run import finish
from engine.commands.spec_arguments import add_spec_arguments, write_spec

NAME = "train"
HELP = "train a prepared voice; goes on from its saved state"
_STAGES = {"sovits": ("sovits",), "gpt": ("gpt",), "all": ("sovits", "gpt")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", choices=tuple(_STAGES))
    add_spec_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return finish(write_spec(args, _STAGES[args.stage]), args.work, as_json=args.json)
