"""The screens of the dashboard in the order of their tabs and number keys."""

from __future__ import annotations

TABS = (
    "servers",
    "monitor",
    "voices",
    "train",
    "dataset",
    "speak",
    "audition",
    "logs",
    "settings",
)
