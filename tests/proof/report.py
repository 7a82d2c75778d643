"""One table for every promise: how often it was tried, how often it failed, from which seed."""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """How many trials there were, a line for each that failed, and what was measured."""

    trials: int = 0
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


# (trials, seed, an empty folder) -> what came of it. The same seed gives the same trials.
Run = Callable[[int, int, Path], Outcome]


@dataclass(frozen=True)
class Promise:
    """A sentence of ours, and what tries it: `quick` or `full` so many trials.

    `beside`: it asks for one core and nothing else, so others are tried meanwhile.
    """

    name: str
    sentence: str
    quick: int
    full: int
    run: Run
    beside: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table; `seconds` of wall time."""

    name: str
    promise: str
    trials: int
    failures: int
    seed: int
    seconds: float
    first_failure: str = ""
    notes: tuple[str, ...] = ()


def try_promise(promise: Promise, trials: int, seed: int) -> tuple[Row, Outcome]:
    """Try one promise in a folder of its own; what escapes from it is a failure too."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"proof-{promise.name}-") as folder:
        try:
            outcome = promise.run(trials, seed, Path(folder))
        except Exception:  # noqa: BLE001 - the table goes on with the next promise
            outcome = Outcome(1, [traceback.format_exc(limit=-4)])
    seconds = round(time.monotonic() - began, 1)
    first = outcome.failures[0] if outcome.failures else ""
    count = len(outcome.failures)
    notes = tuple(outcome.notes)
    row = Row(promise.name, promise.sentence, outcome.trials, count, seed, seconds, first, notes)
    return row, outcome


def format_row(row: Row) -> str:
    """`held   fuzz   7000 trials  0 failed  seed 1   12.3 s  No foreign text ...`."""
    mark = "FAILED" if row.failures else "held"
    counts = f"{row.trials:>8} trials {row.failures:>4} failed  seed {row.seed:<6}"
    return f"{mark:<7}{row.name:<16}{counts}{row.seconds:>8.1f} s  {row.promise}"


def read_json(path: Path) -> list[Row]:
    """Read a table that `write_json` wrote."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**{**row, "notes": tuple(row["notes"])}) for row in rows]


def write_json(rows: Iterable[Row], path: Path) -> None:
    """Write the table as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
