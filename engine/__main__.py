"""`python -m sovdeck.engine`: the engine's command line, on the server."""

from __future__ import annotations

import sys

from sovdeck.engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
