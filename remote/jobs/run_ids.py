"""Run ids: when a run was asked for, and for which voice."""

from __future__ import annotations

from datetime import datetime


def make_run_id(voice: str, now: datetime) -> str:
    """`20261122-141530-Anna`: sorts by time, and fits a file name and a command line."""
    plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in voice)
    return f"{now:%Y%m%d-%H%M%S}-{plain.strip('-')[:40] or 'voice'}"


def voice_of_run(run: str) -> str:
    """The voice in a run id of ours (`20261122-141530-Anna`); the id itself otherwise."""
    parts = run.split("-", 2)
    dated = len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit()
    return parts[2] if dated else run
