"""`make proof`: tries every promise and prints a table; `--quick` a slice of three minutes.

    make proof ARGS="--only fuzz,streams --seed 7 --trials 100 --json proof.json"

Everything follows from the seed: the same seed tries the same things again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from promises import LIMIT_S, PROMISES  # noqa: E402 - tests/ is not a package
from report import Row, format_row, try_promise, write_json  # noqa: E402


def main() -> int:
    """Print the table; 1 when a promise failed or was not tried for want of time."""
    parser = argparse.ArgumentParser(prog="make proof", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a slice of three minutes")
    parser.add_argument("--only", default="", help="names of promises, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, help="so many of each, instead of the usual number")
    parser.add_argument("--json", type=Path, help="also write the table there")
    args = parser.parse_args()
    wanted = set(filter(None, args.only.split(",")))
    if unknown := wanted - {promise.name for promise in PROMISES}:
        parser.error(f"no such promise: {', '.join(sorted(unknown))}")
    began, rows, left_out = time.monotonic(), list[Row](), list[str]()
    for promise in PROMISES:
        if wanted and promise.name not in wanted:
            continue
        if time.monotonic() - began > LIMIT_S:
            left_out.append(promise.name)
            continue
        trials = args.trials or (promise.quick if args.quick else promise.full)
        row, outcome = try_promise(promise, trials, args.seed)
        rows.append(row)
        print(format_row(row), flush=True)
        for note in row.notes:
            print("        " + note, flush=True)
        for failure in outcome.failures:
            print("        " + failure.replace("\n", "\n        ")[:4000], flush=True)
    if left_out:
        print(f"not tried within {LIMIT_S / 60:.0f} minutes: {', '.join(left_out)}")
    if args.json:
        write_json(rows, args.json)
    return int(any(row.failures for row in rows) or bool(left_out))


if __name__ == "__main__":
    sys.exit(main())
