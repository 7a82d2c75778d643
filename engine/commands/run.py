"""`run SPEC`: everything a run was asked to do."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

NAME = "run"
HELP = "run every stage of runs/ID/spec.json; its events are written beside it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", type=Path, help="runs/ID/spec.json")
    parser.add_argument("--work", type=Path, help="work folder (default: three levels up)")


def run(args: argparse.Namespace) -> int:
    return finish(args.spec, args.work, as_json=args.json)


def finish(spec: Path, work: Path | None, *, as_json: bool) -> int:
    """Execute a spec and say how it ended; the exit code is the run's."""
    from engine.cli import language
    from engine.run import execute

    ending = execute(spec, work)
    if as_json:
        problem = ending.problem.as_json() if ending.problem else {}
        print(json.dumps({"status": ending.status, **problem}, ensure_ascii=False))
    elif ending.problem is not None:
        print(ending.problem.sentence(language()), file=sys.stderr)
    else:
        print(ending.status)
    return int(ending.exit_code)
