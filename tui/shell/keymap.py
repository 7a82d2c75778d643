"""Keys of the person's choice: a settings file may rebind every binding by its id."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.shell.actions import ACTIONS_BY_ID


def check_keymap(path: Path, keys: Mapping[str, str]) -> None:
    """Problem naming the first id that no binding has: its key would never do anything."""
    for name in keys:
        if name not in ACTIONS_BY_ID:
            similar = get_close_matches(name, ACTIONS_BY_ID, n=3, cutoff=0.4)
            raise Problem(
                "tui.settings.unknown_key",
                ExitCode.CONFIG,
                file=str(path),
                name=name,
                names=", ".join(similar or list(ACTIONS_BY_ID)[:3]),
            )
