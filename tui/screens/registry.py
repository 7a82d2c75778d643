"""The class of each tab's screen, imported when the screen is first shown."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from textual.screen import Screen

_SCREEN_CLASSES = {
    "servers": "servers:ServersScreen",
    "monitor": "monitor.screen:MonitorScreen",
    "voices": "voices:VoicesScreen",
    "train": "train.screen:TrainScreen",
    "dataset": "dataset.screen:DatasetScreen",
    "speak": "speak.screen:SpeakScreen",
    "audition": "audition.screen:AuditionScreen",
    "logs": "logs:LogsScreen",
    "settings": "settings:SettingsScreen",
}


def make_screen(name: str) -> Screen[Any]:
    """Import and make one screen; the others would cost start-up time."""
    module, _, screen_class = _SCREEN_CLASSES[name].partition(":")
    screen = getattr(import_module(f"sovdeck.tui.screens.{module}"), screen_class)()
    assert isinstance(screen, Screen)
    return screen
