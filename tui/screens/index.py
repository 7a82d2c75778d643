"""Which class makes which screen; imported when the first screen is shown."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from textual.screen import Screen

_CLASSES = {
    "servers": "ServersScreen",
    "monitor": "MonitorScreen",
    "voices": "VoicesScreen",
    "train": "TrainScreen",
    "dataset": "DatasetScreen",
    "speak": "SpeakScreen",
    "audition": "AuditionScreen",
    "logs": "LogsScreen",
    "settings": "SettingsScreen",
}


def make_screen(name: str) -> Screen[Any]:
    """Import only the screen asked for: the others cost start-up time."""
    module = import_module(f"tui.screens.{name}")
    screen = getattr(module, _CLASSES[name])()
    assert isinstance(screen, Screen)
    return screen
