"""`check`: what would keep a run from training, and its plan, asked before it is started."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.catalogue import LANGUAGES
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.number_options import amount
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runtime.console import output_language

NAME = "check"
HELP = "read a spec.json from standard input and say what would keep the run from training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `check`."""
    parser.add_argument("--work", type=Path, default=Path(), help="work folder (default: here)")
    parser.add_argument(
        "--price", type=amount(0, 1e6), help="price of the server an hour, for the plan"
    )
    parser.add_argument("--currency", default="", help="of the price, e.g. CNY")


def run(args: argparse.Namespace) -> int:
    """Print each problem; the exit code is that of the first, 0 where there is none."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.runs.preflight import examine_run, plan_preflight

    spec, layout = RunSpec.from_json(sys.stdin.read()), Layout.at(args.work.resolve().as_posix())
    found = examine_run(spec, layout)
    plan = None if found.problems else plan_preflight(spec, layout, args.price, args.currency)
    if args.json:
        answer: dict[str, Any] = {
            "problems": _rows(found.problems),
            "warnings": _rows(found.warnings),
        }
        if plan is not None:
            lines = {language: plan.figure_lines(language) for language in LANGUAGES}
            answer["plan"] = {**plan.as_json(), "lines": lines}
        print(json.dumps(answer))
    else:
        if plan is not None:
            print("\n".join(plan.figure_lines(output_language())))
        for problem in (*found.problems, *found.warnings):
            print(problem.sentence(output_language()), file=sys.stderr)
    return int(found.problems[0].exit_code) if found.problems else 0


def _rows(problems: Sequence[Problem]) -> list[dict[str, object]]:
    return [{**one.as_json(), "exit_code": int(one.exit_code)} for one in problems]
