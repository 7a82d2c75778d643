"""Keys of the person's choice: every binding has an id, which the settings file may rename."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from tui.actions import BY_ID


def check_keymap(path: Path, keys: Mapping[str, str]) -> None:
    """Problem naming the first id that no binding has: its key would never do anything."""
    for name in keys:
        if name not in BY_ID:
            near = get_close_matches(name, BY_ID, n=3, cutoff=0.4)
            raise Problem(
                "tui.settings.unknown_key", ExitCode.CONFIG,
                file=str(path), name=name, names=", ".join(near or list(BY_ID)[:3]),
            )  # fmt: skip
