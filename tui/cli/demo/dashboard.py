"""The demo's dashboard: the real services, pointed at the practice server."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import Language
from sovdeck.tui.dashboard.open_dashboard import open_dashboard
from sovdeck.tui.practice.local_server import PracticeEnvironment


def show_dashboard(environment: PracticeEnvironment, language: Language) -> None:
    """Show the run until the person quits; the run goes on either way."""
    open_dashboard(environment.project, language, app_paths=environment.app_paths, start="monitor")
