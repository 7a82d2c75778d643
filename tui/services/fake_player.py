"""A player without sound, for the made-up world."""

from __future__ import annotations

import time
from pathlib import Path

from engine.contract.problem import Problem


class FakePlayer:
    """Keeps what it was asked for in `played`; `problem` is raised instead when set.

    A file plays for `lasts` seconds, or until it is stopped where that is None.
    """

    def __init__(self, lasts: float | None = None) -> None:
        self.lasts = lasts
        self.played: list[Path] = []
        self.problem: Problem | None = None
        self._path: Path | None = None
        self._began = 0.0

    @property
    def playing(self) -> Path | None:
        over = self.lasts is not None and time.monotonic() - self._began > self.lasts
        return None if over else self._path

    def play(self, path: Path) -> None:
        if self.problem is not None:
            raise self.problem
        self.played.append(path)
        self._path, self._began = path, time.monotonic()

    def stop(self) -> None:
        self._path = None
