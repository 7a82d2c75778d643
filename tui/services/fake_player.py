"""A player without sound, for the made-up world."""

from __future__ import annotations

from pathlib import Path

from engine.contract.problem import Problem


class FakePlayer:
    """Keeps what it was asked for in `played`; `problem` is raised instead when set."""

    def __init__(self) -> None:
        self.played: list[Path] = []
        self.playing: Path | None = None
        self.problem: Problem | None = None

    def play(self, path: Path) -> None:
        if self.problem is not None:
            raise self.problem
        self.played.append(path)
        self.playing = path

    def stop(self) -> None:
        self.playing = None
