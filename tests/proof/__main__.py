"""`make proof`: tries every promise and prints a table; `--quick` a slice of three minutes.

    make proof ARGS="--only fuzz,streams --seed 7 --trials 100 --json proof.json"
    make proof ARGS="--only journeys --minutes 120"

Everything follows from the seed: the same seed tries the same things again.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from promises import LIMIT_S, PROMISES, training_journeys  # noqa: E402 - tests/ is not a package
from report import Promise, Row, format_row, read_json, try_promise, write_json  # noqa: E402


def try_here(promise: Promise, trials: int, seed: int) -> Row:
    """Try a promise, and print what came of it."""
    row, outcome = try_promise(promise, trials, seed)
    print(format_row(row), flush=True)
    for note in row.notes:
        print("        " + note, flush=True)
    for failure in outcome.failures:
        print("        " + failure.replace("\n", "\n        ")[:4000], flush=True)
    return row


class Beside:
    """A promise that is tried by a process of its own, meanwhile."""

    def __init__(self, promise: Promise, trials: int, seed: int, folder: Path) -> None:
        self._table = folder / f"{promise.name}.json"
        self._output = folder / f"{promise.name}.txt"
        self._name = promise.name
        options = ("--only", promise.name, "--trials", str(trials), "--seed", str(seed))
        argv = [sys.executable, str(Path(__file__).parent), *options, "--json", str(self._table)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=output)

    def end(self) -> Row:
        """Wait for it, and print what it printed."""
        self.process.wait()
        print(self._output.read_text("utf-8", "replace"), end="", flush=True)
        if self._table.exists():
            return read_json(self._table)[0]
        code = self.process.returncode
        return Row(self._name, "It comes to an end.", 0, 1, 0, 0.0, f"ended with {code}")


@contextmanager
def tried_beside(promises: list[Promise], args: argparse.Namespace) -> Iterator[dict[str, Beside]]:
    """Begin those that others may be tried beside, if there are any; by name."""
    begun: dict[str, Beside] = {}
    with tempfile.TemporaryDirectory(prefix="proof-beside-") as folder:
        try:
            for promise in promises:
                if promise.beside and len(promises) > 1:
                    trials = trials_of(promise, args)
                    begun[promise.name] = Beside(promise, trials, args.seed, Path(folder))
            yield begun
        finally:
            for one in begun.values():
                one.process.kill()
                one.process.wait()


def trials_of(promise: Promise, args: argparse.Namespace) -> int:
    """How often to try it."""
    return int(args.trials or (promise.quick if args.quick else promise.full))


def main() -> int:
    """Print the table; 1 when a promise failed or was not tried for want of time."""
    parser = argparse.ArgumentParser(prog="make proof", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a slice of three minutes")
    parser.add_argument("--only", default="", help="names of promises, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, help="so many of each, instead of the usual number")
    parser.add_argument("--minutes", type=float, help="for the journeys, instead of the usual ones")
    parser.add_argument("--json", type=Path, help="also write the table there")
    args = parser.parse_args()
    wanted = set(filter(None, args.only.split(",")))
    if unknown := wanted - {promise.name for promise in PROMISES}:
        parser.error(f"no such promise: {', '.join(sorted(unknown))}")
    limit_s = LIMIT_S
    if args.minutes is not None:
        limit_s += args.minutes * 60 - training_journeys.limit_s
        training_journeys.limit_s = args.minutes * 60
    # Where this was begun in the background Ctrl+C may be ignored, by its commands too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = [promise for promise in PROMISES if not wanted or promise.name in wanted]
    began, rows, left_out = time.monotonic(), list[Row](), list[str]()
    with tried_beside(chosen, args) as beside:
        for promise in chosen:
            if promise.name in beside:
                rows.append(beside[promise.name].end())
            elif time.monotonic() - began > limit_s:
                left_out.append(promise.name)
            else:
                rows.append(try_here(promise, trials_of(promise, args), args.seed))
    if left_out:
        print(f"not tried within {limit_s / 60:.0f} minutes: {', '.join(left_out)}")
    if args.json:
        write_json(rows, args.json)
    return int(any(row.failures for row in rows) or bool(left_out))


if __name__ == "__main__":
    sys.exit(main())
