"""`summary`: what the events of runs come to, one JSON object a line."""

from __future__ import annotations

import argparse
from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.runtime.summary_file import read_summary

NAME = "summary"
HELP = "say what the events of runs come to, and keep it beside them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `summary`."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id of a run")
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument("--history", action="store_true", help="whole lists and loss curves too")


def run(args: argparse.Namespace) -> int:
    """Print one line a run, in the order asked for; a run without events has an empty summary."""
    layout = Layout.at(args.work.resolve().as_posix())
    for run_id in args.runs:
        summary = read_summary(Path(layout.run(run_id).events))
        line = summary.to_json().replace("\n", "") if args.history else summary.first_line()
        print(line, flush=True)
    return 0
