"""`make rehearsal`: the whole trip at full size on this computer, and what each station took."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS / "rehearsal"), str(_TESTS)]

from measure import format_table  # noqa: E402 - tests/ is not a package
from trip import StationError, Trip, travel  # noqa: E402


def main() -> int:
    """Travel and print the table; 1 when a station failed."""
    parser = argparse.ArgumentParser(prog="make rehearsal", description=__doc__)
    parser.add_argument("--version", choices=("v2", "v2Pro", "v2ProPlus"), default="v2Pro")
    parser.add_argument("--folder", type=Path, help="keep everything here (some 20 GB)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sovdeck-rehearsal-") as temporary:
        folder = (args.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        trip = Trip(folder, args.version, args.version, None, [])
        failure = ""
        try:
            travel(trip)
        except (StationError, AssertionError) as error:
            failure = f"{trip.table[-1].name if trip.table else 'start'}: {error}"
        print(format_table(trip.table))
    if failure:
        print(failure, file=sys.stderr)
    return int(bool(failure))


if __name__ == "__main__":
    sys.exit(main())
