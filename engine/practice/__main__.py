"""`python -m sovdeck.engine.practice FOLDER NAME [CLIPS]`: makes the practice set, prints JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sovdeck.engine.practice.dataset import make_practice_set


def main(arguments: list[str]) -> int:
    """Make the practice set from command-line `arguments`; returns the exit code."""
    folder, name = Path(arguments[0]), arguments[1]
    made = make_practice_set(folder, name, int(arguments[2]) if len(arguments) > 2 else None)
    facts = {"list": str(made.list_file), "clips": made.clips, "seconds": made.seconds}
    print(json.dumps(facts, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
