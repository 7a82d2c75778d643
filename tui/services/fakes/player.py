"""A player without sound, for the made-up world."""

from __future__ import annotations

import time
from pathlib import Path

from sovdeck.engine.contract.problem import Problem


class FakeSoundStream:
    """Records what is heard in `heard`; ends by itself unless `goes_on`, and mute with `mute`."""

    def __init__(self, *, goes_on: bool = False, mute: bool = False) -> None:
        self.heard: list[bytes] = []
        self.stopped = False
        self.ended = False
        self.goes_on = goes_on
        self.mute = mute

    @property
    def is_over(self) -> bool:
        """Whether nothing sounds any more."""
        return self.mute or self.stopped or (self.ended and not self.goes_on)

    @property
    def has_played(self) -> bool:
        """Whether all has been heard."""
        return self.ended and not self.mute

    def write(self, samples: bytes) -> None:
        """Record the samples."""
        self.heard.append(samples)

    def end(self) -> None:
        """Let it end."""
        self.ended = True

    def stop(self) -> None:
        """Stop it."""
        self.stopped = True


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
