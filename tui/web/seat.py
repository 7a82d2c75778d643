"""`python -m tui.web.seat`: the dashboard process behind one page; textual-serve starts it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tui.services.live import open_dashboard


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tui.web.seat", description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    options = parser.parse_args()
    return open_dashboard(options.config, options.lang)


if __name__ == "__main__":
    sys.exit(main())
