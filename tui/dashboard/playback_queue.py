"""Plays files for the controller: one background task, in which a new file ends the last."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.dashboard.background_tasks import BackgroundTasks
from sovdeck.tui.services.protocols import Cancel, Emit, Player
from sovdeck.tui.state.events import PlaybackChanged

PLAYBACK_GROUP = "sound"
POLL_S = 0.2


class PlaybackQueue:
    """Plays one file at a time."""

    def __init__(self, tasks: BackgroundTasks, player: Player) -> None:
        self._tasks = tasks
        self._player = player
        self._reported: set[str] = set()
        self._anonymous_copies: tempfile.TemporaryDirectory[str] | None = None

    def play(self, path: Path, *, automatic: bool = False, alias: str = "") -> None:
        """Play `path`.

        automatic: nobody pressed a key, so that nothing can play is reported only once.
        alias: the person must not learn the file's name (a blind vote); where nothing can play, a
        copy with this name is reported instead.
        """

        def play(emit: Emit, cancel: Cancel) -> None:
            try:
                self.play_to_end(path, emit, cancel)
            except Problem as problem:
                if alias and problem.key == "tui.playback.no_player":
                    problem = Problem(
                        problem.key, problem.exit_code, path=self._anonymise(path, alias)
                    )
                report_key = f"{problem.key} {alias}"
                if automatic and report_key in self._reported:
                    return
                self._reported.add(report_key)
                raise problem from None

        self._tasks.run(PLAYBACK_GROUP, play)

    def stop(self) -> None:
        """Stop what plays."""

        def stop(emit: Emit, cancel: Cancel) -> None:
            self._player.stop()
            emit(PlaybackChanged(None))

        self._tasks.run(PLAYBACK_GROUP, stop)

    def _anonymise(self, path: Path, alias: str) -> Path:
        if self._anonymous_copies is None:
            self._anonymous_copies = tempfile.TemporaryDirectory(
                prefix="sovdeck-", ignore_cleanup_errors=True
            )
        return Path(
            shutil.copyfile(path, Path(self._anonymous_copies.name) / f"{alias}{path.suffix}")
        )

    def close(self) -> None:
        """Remove the renamed copies."""
        if self._anonymous_copies is not None:
            self._anonymous_copies.cleanup()

    def play_to_end(self, path: Path, emit: Emit, cancel: Cancel) -> None:
        """Play a file until its end, in the calling task."""
        if cancel.is_set():  # the next file was asked for before this thread came up
            return
        self._player.play(path)
        emit(PlaybackChanged(path))
        while self._player.playing is not None and not cancel.wait(POLL_S):
            pass
        emit(PlaybackChanged(None))
