"""The demo's dashboard: real services, pointed at the practice server."""

from __future__ import annotations

from engine.contract.catalogue import Language
from tui.demo.scene import Scene
from tui.services.live import open_dashboard


def watch(scene: Scene, language: Language) -> None:
    """Show the run until the person leaves; it does not mind either way."""
    open_dashboard(scene.project, language, places=scene.places, start="monitor")
