"""`run SPEC`: everything a run was asked to do."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sovdeck.engine.runtime.console import output_language

NAME = "run"
HELP = "run every stage of runs/ID/spec.json; its events are written beside it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    parser.add_argument("spec", type=Path, help="runs/ID/spec.json")
    parser.add_argument("--work", type=Path, help="work folder (default: three levels up)")


def run(args: argparse.Namespace) -> int:
    """Run the spec; the exit code is the run's."""
    return run_spec(args.spec, args.work, as_json=args.json)


def run_spec(spec: Path, work: Path | None, *, as_json: bool) -> int:
    """Execute a spec and print its status or problem; the exit code is the run's."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.runs.run import execute_run

    result = execute_run(spec, work)
    if as_json:
        problem = result.problem.as_json() if result.problem else {}
        print(json.dumps({"status": result.status, **problem}, ensure_ascii=False))
    elif result.problem is not None:
        print(result.problem.sentence(output_language()), file=sys.stderr)
    else:
        print(result.status)
    return int(result.exit_code)
