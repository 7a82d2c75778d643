"""Plays files for the controller: one background task, in which a new file ends the last."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.dashboard.background_tasks import BackgroundTasks
from sovdeck.tui.services.protocols import Cancel, Emit, Player, SoundStream
from sovdeck.tui.state.events import PlaybackChanged

PLAYBACK_GROUP = "sound"
POLL_S = 0.2


class TakeSound:
    """A take that is heard while it is spoken: begins with its first samples.

    Whatever plays next ends it; the take itself goes on then.
    """

    def __init__(self, playback: PlaybackQueue, take: str, stream: SoundStream) -> None:
        self._playback = playback
        self._stream = stream
        self._begun = self._ended = self._stopped = False
        self.path = Path(take)  # its file, once it has one

    def write(self, samples: bytes) -> None:
        """Play these samples after those before."""
        self._stream.write(samples)
        if not self._begun:
            self._begun = True
            self._playback.follow(self)

    def end(self, wav: Path) -> None:
        """Say that the take is whole; where nothing could stream it, its file is played."""
        self.path = wav
        self._stream.end()
        self._ended = True
        if not self._begun and not self._stopped:
            self._playback.play(wav, automatic=True)

    def stop(self) -> None:
        """End the sound at once; no effect on one that is over."""
        self._stopped = True
        self._stream.stop()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to hear."""
        return self._stopped or (self._ended and self._stream.is_over)

    @property
    def was_mute(self) -> bool:
        """Whether it came to its end although nothing could stream it."""
        return self._ended and not self._stopped and not self._stream.has_played


class PlaybackQueue:
    """Plays one file at a time."""

    def __init__(
        self,
        tasks: BackgroundTasks,
        player: Player,
        open_sound: Callable[[], SoundStream] | None = None,
    ) -> None:
        self._tasks = tasks
        self._player = player
        self._open_sound = open_sound
        self._reported: set[str] = set()
        self._anonymous_copies: tempfile.TemporaryDirectory[str] | None = None

    def play(self, path: Path, *, automatic: bool = False, alias: str = "") -> None:
        """Play `path`.

        automatic: nobody pressed a key, so that nothing can play is reported only once.
        alias: the person must not learn the file's name (a blind vote); where nothing can play, a
        copy with this name is reported instead.
        """

        def play(emit: Emit, cancel: Cancel) -> None:
            self._play_reported(path, emit, cancel, automatic=automatic, alias=alias)

        self._tasks.run(PLAYBACK_GROUP, play)

    def _play_reported(
        self, path: Path, emit: Emit, cancel: Cancel, *, automatic: bool, alias: str = ""
    ) -> None:
        try:
            self.play_to_end(path, emit, cancel)
        except Problem as problem:
            if alias and problem.key == "tui.playback.no_player":
                problem = Problem(problem.key, problem.exit_code, path=self._anonymise(path, alias))
            report_key = f"{problem.key} {alias}"
            if automatic and report_key in self._reported:
                return
            self._reported.add(report_key)
            raise problem from None

    def open_take(self, take: str) -> TakeSound | None:
        """The sound of a take that is about to be spoken; None where sound cannot be streamed."""
        return None if self._open_sound is None else TakeSound(self, take, self._open_sound())

    def follow(self, sound: TakeSound) -> None:
        """Let a take be heard, in place of what plays; what nothing could stream is played."""

        def follow(emit: Emit, cancel: Cancel) -> None:
            self._player.stop()
            shown = None
            try:
                while not sound.is_over and not cancel.is_set():
                    if sound.path != shown:
                        shown = sound.path
                        emit(PlaybackChanged(shown))
                    cancel.wait(POLL_S)
                is_mute = sound.was_mute and not cancel.is_set()
            finally:
                sound.stop()
                emit(PlaybackChanged(None))
            if is_mute:
                self._play_reported(sound.path, emit, cancel, automatic=True)

        self._tasks.run(PLAYBACK_GROUP, follow)

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
