"""Opens the dashboard that is installed, without a terminal, goes through it by keys and leaves.

Part of `make release-check`, with each Python: what starts with one version may end with another.
"""

from __future__ import annotations

import sys

from textual.pilot import Pilot

from sovdeck.remote.config.paths import AppPaths
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.live.services import live_services

KEYS = (*"123456789", "f2", *"987654321", "f1", "escape", "f3", "ctrl+p", "escape", "a", "escape")


async def walk(pilot: Pilot[None]) -> None:
    """Press every key of KEYS, then the one that leaves."""
    for key in KEYS:
        await pilot.press(key)
        await pilot.pause(0.2)
    await pilot.press("ctrl+q")


def main() -> int:
    """Return the exit code of the dashboard."""
    with live_services(None, AppPaths.locate()) as services:
        app = SovdeckApp(services)
        app.run(headless=True, size=(100, 30), auto_pilot=walk)
    return app.exit_code


if __name__ == "__main__":
    sys.exit(main())
