"""`doctor`: is this machine fit to train."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode
from sovdeck.engine.runtime.console import output_language

NAME = "doctor"
HELP = "check Python, torch, GPUs, disk, memory and pretrained sets of this machine"
_STATE_SYMBOLS = {"good": "+", "warning": "!", "bad": "x"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `doctor`."""
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")


def run(args: argparse.Namespace) -> int:
    """Print every check; the exit code is 2 when one has failed."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.commands.doctor_checks import run_checks

    results = run_checks(args.work.resolve())
    failed = any(result.state == "bad" for result in results)
    if args.json:
        listed = [result.as_json() for result in results]
        status = "failed" if failed else "succeeded"
        print(json.dumps({"status": status, "findings": listed}, ensure_ascii=False))
    else:
        for result in results:
            advice = "" if result.state == "good" else result.advice.get(output_language())
            print(
                f"{_STATE_SYMBOLS[result.state]} {result.name:14} {result.value}  {advice}".rstrip()
            )
    return int(ExitCode.CONFIG if failed else ExitCode.OK)
