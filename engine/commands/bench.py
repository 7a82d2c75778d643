"""`bench`: how fast this machine speaks and trains, as figures and as one JSON row."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime.console import output_language, print_notice

NAME = "bench"
HELP = "measure how fast this machine speaks and trains, with made-up weights of real size"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `bench`."""
    parser.add_argument("--work", type=Path, help="work folder whose plans are to use the row")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "fp16", "fp32"))
    parser.add_argument("--tiny", action="store_true", help="small networks, for a trial")
    parser.add_argument("--part", action="append", choices=("speaking", "training"))
    parser.add_argument("--preset", action="append", choices=("v2", "v2Pro", "v2ProPlus", "tiny"))


def run(args: argparse.Namespace) -> int:
    """Measure, print a line a figure (or the row), and keep the row below the work folder."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.bench.bench import PARTS, Bench, keep_row
    from sovdeck.engine.runtime.device import choose_device

    language = output_language()

    def report(part: str) -> None:
        print(text("engine.bench.part", part=part).get(language), file=sys.stderr, flush=True)

    def warn(problem: Problem) -> None:
        print_notice(problem)

    device = choose_device(args.device)
    bench = Bench(device, tiny=args.tiny, report=report, warn=warn, precision=args.precision)
    row = bench.run(args.part or PARTS, args.preset or ())
    if args.work is not None:
        keep_row(row, Path(Layout.at(args.work.resolve().as_posix()).bench_rows))
    if args.json:
        print(json.dumps(row.as_json(), ensure_ascii=False))
        return 0
    facts = {name: row.machine[name] for name in ("torch", "cores")}
    print(text("engine.bench.head", device=row.device, sizes=row.sizes, **facts).get(language))
    for cells in row.format_rows(language):
        print("  ".join(cell for cell in cells if cell))
    return 0
