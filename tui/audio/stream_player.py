"""Sound on this computer while it is still being spoken, in a child process that prints nothing."""

from __future__ import annotations

import contextlib
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sovdeck.tui.audio import play_stream
from sovdeck.tui.audio.player import PlayerCommand, has_started, terminate

_SYSTEM_PLAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "linux": (
        ("pw-cat", "--playback", "--raw", "--format=s16", "--channels=1", "--rate={rate}", "-"),
        ("paplay", "--raw", "--format=s16le", "--channels=1", "--rate={rate}"),
        ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "{rate}"),
    ),
}


def stream_commands(rate: int, system: str = sys.platform) -> Iterator[PlayerCommand]:
    """The programs that can play samples from standard input on `system`, best first."""
    # By its file and with -P, so that a folder named tui in the working directory is not run.
    executable = str(Path(play_stream.__file__))
    yield PlayerCommand((sys.executable, "-P", executable, str(rate)), reports_ready=True)
    for executable, *arguments in _SYSTEM_PLAYERS.get(system, ()):
        found = shutil.which(executable)
        if found:
            yield PlayerCommand((found, *(part.format(rate=rate) for part in arguments)))


class StreamPlayer:
    """Plays 16-bit mono samples as they are written; a context manager that ends the sound.

    Starts with the first samples. Where nothing can play, `finish` says so and no harm is done.
    """

    def __init__(self, rate: int, commands: Sequence[PlayerCommand] | None = None) -> None:
        """rate: in Hz. commands: replaces the programs of this computer (tests)."""
        self._commands = list(stream_commands(rate)) if commands is None else list(commands)
        self._parts: queue.Queue[bytes | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._played = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End the sound; what `finish` has waited for is over already."""
        self.stop()

    def stop(self) -> None:
        """End the sound at once, from any thread."""
        self._stopped = True
        self._parts.put(None)
        if self._process is not None:
            terminate(self._process)

    def write(self, samples: bytes) -> None:
        """Play these samples after those before; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._feed, name="stream-player", daemon=True)
            self._thread.start()
        self._parts.put(samples)

    def end(self) -> None:
        """Say that all samples are written; what waits is still heard."""
        self._parts.put(None)

    @property
    def is_over(self) -> bool:
        """Whether nothing sounds any more, or nothing could."""
        return self._thread is None or not self._thread.is_alive()

    @property
    def has_played(self) -> bool:
        """Whether all has been heard, to the end."""
        return self._played

    def finish(self) -> bool:
        """Wait until all has been heard; False when nothing could play it."""
        self.end()
        if self._thread is not None:
            self._thread.join()
        return self._played

    def _feed(self) -> None:
        for command in self._commands:
            if self._stopped:
                return
            self._process = process = subprocess.Popen(  # noqa: S603  our own argv, no shell
                command.argv,
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.reports_ready else subprocess.DEVNULL,
            )
            if has_started(process, command.reports_ready):
                break
        else:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # the player has ended: the file is played instead
            while (part := self._parts.get()) is not None:
                process.stdin.write(part)
                process.stdin.flush()
            process.stdin.close()
            self._played = process.wait() == 0
