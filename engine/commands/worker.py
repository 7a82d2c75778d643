"""`worker SPEC --stage gpt`: one of several processes that torchrun started together.

Several machines train as one when each runs torchrun itself, with a static rendezvous:
`python -m torch.distributed.run --nnodes 2 --node-rank 0 --nproc-per-node 1
--master-addr '[2001:db8::1]' --master-port 29500 -m sovdeck.engine worker SPEC --stage gpt`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "worker"
HELP = "one process of a training stage; torchrun starts it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `worker`."""
    parser.add_argument("spec", type=Path, help="runs/ID/spec.json")
    parser.add_argument("--stage", choices=("sovits", "gpt"), required=True)
    parser.add_argument("--work", type=Path, help="work folder (default: three levels up)")
    parser.add_argument(
        "--end-with-input",
        action="store_true",
        help="end at once when standard input does: it is the engine's pipe",
    )


def run(args: argparse.Namespace) -> int:
    """Run this rank's part of the stage; the exit code is the worker's."""
    # Here: torch takes seconds to import, and `--help` must answer at once.
    from sovdeck.engine.runs.worker_process import end_with_input, run_worker

    if args.end_with_input:
        end_with_input()
    return int(run_worker(args.spec, args.stage, args.work))
