"""`python -m sovdeck.tui` is the `sovdeck` command."""

import sys

from sovdeck.tui.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
