"""A player without sound, for the made-up world."""

from __future__ import annotations

import time
from pathlib import Path

from sovdeck.engine.contract.problem import Problem


class FakePlayer:
    """Records what it was asked to play in `played`; `problem` is raised instead when set.

    A file plays for `duration_s` seconds, or until it is stopped where that is None.
    """

    def __init__(self, duration_s: float | None = None) -> None:
        self.duration_s = duration_s
        self.played: list[Path] = []
        self.problem: Problem | None = None
        self._path: Path | None = None
        self._began = 0.0

    @property
    def playing(self) -> Path | None:
        """The file that is playing now."""
        over = self.duration_s is not None and time.monotonic() - self._began > self.duration_s
        return None if over else self._path

    def play(self, path: Path) -> None:
        """Record the file, or raise `problem`."""
        if self.problem is not None:
            raise self.problem
        self.played.append(path)
        self._path, self._began = path, time.monotonic()

    def stop(self) -> None:
        """Stop the file."""
        self._path = None
