"""`plan`: what a run would do and cost, before it starts."""

from __future__ import annotations

import argparse
import json

from engine.commands.spec_arguments import add_spec_arguments, make_spec

NAME = "plan"
HELP = "say what training would do: updates, time, cost, memory, disk; refuse what cannot learn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec_arguments(parser)
    parser.add_argument("--price", type=float, help="price of the server an hour")
    parser.add_argument("--currency", default="", help="of the price, e.g. CNY")


def run(args: argparse.Namespace) -> int:
    from engine.cli import language
    from engine.contract.events import STAGES
    from engine.contract.layout import Layout
    from engine.training.plan import plan_run

    layout = Layout.at(args.work.resolve().as_posix())
    made = plan_run(
        make_spec(args, STAGES), layout, price_per_hour=args.price, currency=args.currency
    )
    if args.json:
        print(json.dumps(made.as_json(), ensure_ascii=False))
    else:
        print("\n".join(made.lines(language())))
    made.check()
    return 0
