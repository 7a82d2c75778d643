"""Plays files for the controller: one job, in which each sound takes the place of the last."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from engine.contract.problem import Problem
from tui.jobs import Jobs
from tui.services.protocols import Cancel, Emit, Player
from tui.state.events import PlaybackChanged

GROUP = "sound"
LOOK_S = 0.2


class Sounding:
    def __init__(self, jobs: Jobs, player: Player) -> None:
        self._jobs = jobs
        self._player = player
        self._told: set[str] = set()
        self._veiled: tempfile.TemporaryDirectory[str] | None = None

    def play(self, path: Path, *, unasked: bool = False, veil: str = "") -> None:
        """Play `path`; where nothing can play, what nobody asked for says so only once.

        With a `veil` the person must not learn the file's name: where nothing can play, a copy
        called so is named instead.
        """

        def play(emit: Emit, cancel: Cancel) -> None:
            try:
                self.until_end(path, emit, cancel)
            except Problem as problem:
                if veil and problem.key == "tui.playback.no_player":
                    problem = Problem(problem.key, problem.exit_code, path=self._copy(path, veil))
                known = f"{problem.key} {veil}"
                if unasked and known in self._told:
                    return
                self._told.add(known)
                raise problem from None

        self._jobs.run(GROUP, play)

    def stop(self) -> None:
        def stop(emit: Emit, cancel: Cancel) -> None:
            self._player.stop()
            emit(PlaybackChanged(None))

        self._jobs.run(GROUP, stop)

    def _copy(self, path: Path, veil: str) -> Path:
        if self._veiled is None:
            self._veiled = tempfile.TemporaryDirectory(
                prefix="sovdeck-", ignore_cleanup_errors=True
            )
        return Path(shutil.copyfile(path, Path(self._veiled.name) / f"{veil}{path.suffix}"))

    def close(self) -> None:
        """Remove the copies."""
        if self._veiled is not None:
            self._veiled.cleanup()

    def until_end(self, path: Path, emit: Emit, cancel: Cancel) -> None:
        """Play a file in the job that calls, until its end."""
        if cancel.is_set():  # the next file was asked for before this thread came up
            return
        self._player.play(path)
        emit(PlaybackChanged(path))
        while self._player.playing is not None and not cancel.wait(LOOK_S):
            pass
        emit(PlaybackChanged(None))
