"""`prepare`: a voice's recordings become features."""

from __future__ import annotations

import argparse

from engine.commands.run import finish
from engine.commands.spec_arguments import add_spec_arguments, write_spec

NAME = "prepare"
HELP = "make phones, features and tokens of a voice's recordings; goes on where it was stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return finish(write_spec(args, ("prepare",)), args.work, as_json=args.json)
