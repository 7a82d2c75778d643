"""`python -m sovdeck.tui.web.page_process`: the dashboard process of one page.

textual-serve starts it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from sovdeck.engine.contract.catalogue import LANGUAGES


def main() -> int:
    """Run the dashboard with the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sovdeck.tui.web.page_process", description=__doc__
    )
    parser.add_argument("--config", type=Path)
    parser.add_argument("--lang", choices=LANGUAGES)
    options = parser.parse_args()
    os.environ["TEXTUAL_DRIVER"] = "sovdeck.tui.web.page_driver:PageDriver"
    # Only now: Textual reads that name while it is imported.
    from sovdeck.tui.dashboard.open_dashboard import open_dashboard

    return open_dashboard(options.config, options.lang)


if __name__ == "__main__":
    sys.exit(main())
