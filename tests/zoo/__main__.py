"""`make zoo`: a table of kinds of servers, what each said, and whether that is right."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS / "zoo"), str(_TESTS), str(_TESTS / "remote" / "deploy")]

from journeys import JOURNEYS, travel  # noqa: E402 - tests/ is not a package
from zoo_servers import why_not  # noqa: E402


def main() -> int:
    """Print the table; 1 when a server was answered wrongly."""
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    failed = 0
    for journey in JOURNEYS:
        outcome = travel(journey)
        failed += bool(outcome.wrong)
        print(f"{'WRONG' if outcome.wrong else 'right'}  {journey.server.kind}")
        for station, words in outcome.said.items():
            for line in words.strip().splitlines():
                print(f"       {station:<6} {line}")
        if outcome.wrong:
            print(f"       -> {outcome.wrong}")
    print(f"{len(JOURNEYS) - failed} right, {failed} wrong")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
