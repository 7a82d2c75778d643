"""`plan`: what a run would do and cost, before it starts."""

from __future__ import annotations

import argparse
import json

from sovdeck.engine.commands.spec_arguments import add_spec_arguments, make_spec
from sovdeck.engine.contract.events import STAGES
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.number_options import amount
from sovdeck.engine.runtime.console import output_language

NAME = "plan"
HELP = "say what training would do: updates, time, cost, memory, disk; refuse what cannot learn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`."""
    add_spec_arguments(parser)
    parser.add_argument("--price", type=amount(0, 1e6), help="price of the server an hour")
    parser.add_argument("--currency", default="", help="of the price, e.g. CNY")


def run(args: argparse.Namespace) -> int:
    """Print the plan; Problem when training could not learn."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.training.plan import plan_run

    layout = Layout.at(args.work.resolve().as_posix())
    training_plan = plan_run(
        make_spec(args, STAGES), layout, price_per_hour=args.price, currency=args.currency
    )
    if args.json:
        print(json.dumps(training_plan.as_json(), ensure_ascii=False))
    else:
        print("\n".join(training_plan.format_lines(output_language())))
    training_plan.raise_refusal()
    return 0
