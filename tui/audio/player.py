"""Sound on this computer: one file at a time, in a child process that prints nothing.

A sound system writes its complaints to the terminal from C, past Python: in a child they go
nowhere. Where the library finds no device, the system's own player is tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.audio import play_file

READY_TIMEOUT_S = 15.0  # a sound system that has not answered by then is taken for dead
STARTED_AFTER_S = 0.4  # a player that lives this long has begun to play
TERMINATE_TIMEOUT_S = 1.0
_SYSTEM_PLAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "darwin": (("afplay", "{file}"),),
    "win32": (
        # The path comes from the environment: in the command it would be read as PowerShell.
        (
            "powershell",
            "-NoProfile",
            "-NonInteractive",
            "-Command",
            "(New-Object System.Media.SoundPlayer $env:SOVDECK_SOUND).PlaySync()",
        ),
    ),
    "linux": (
        ("pw-play", "{file}"),
        ("paplay", "{file}"),
        ("aplay", "-q", "{file}"),
        ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet", "{file}"),
    ),
}


@dataclass(frozen=True)
class PlayerCommand:
    """A program that plays one file and ends.

    `reports_ready` when it prints READY as the sound begins.
    """

    argv: tuple[str, ...]
    reports_ready: bool = False


def player_commands(path: Path, system: str = sys.platform) -> Iterator[PlayerCommand]:
    """The programs that can play `path` on `system`, best first."""
    # By its file and with -P, so that a folder named tui in the working directory is not run.
    executable = str(Path(play_file.__file__))
    yield PlayerCommand((sys.executable, "-P", executable, str(path)), reports_ready=True)
    for executable, *arguments in _SYSTEM_PLAYERS.get(system, ()):
        executable_path = shutil.which(executable)
        if executable_path:
            yield PlayerCommand((executable_path, *(part.format(file=path) for part in arguments)))


class ChildPlayer:
    """Plays files with the first program that works.

    `play` waits for the sound to begin: call it in a background task.
    """

    def __init__(
        self, commands_by_file: Mapping[Path, tuple[PlayerCommand, ...]] | None = None
    ) -> None:
        """`commands_by_file` replaces the programs of this computer, by file (tests)."""
        self._commands_by_file = commands_by_file
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._path: Path | None = None
        self._request = 0

    @property
    def playing(self) -> Path | None:
        """The file that is playing now."""
        with self._lock:
            ended = self._process is None or self._process.poll() is not None
            return None if ended else self._path

    def play(self, path: Path) -> None:
        """Play `path` instead of what plays; Problem when it is not there or nothing can."""
        path = path.absolute()
        if not path.is_file():
            raise Problem("tui.playback.no_file", ExitCode.DATA, path=str(path))
        self.stop()
        with self._lock:
            self._request += 1
            request = self._request
        for command in self._commands(path):
            process = self._start(command, path, request)
            if process is None or has_started(process, command.reports_ready):
                return
            with self._lock:
                if request != self._request:  # another file was asked for while this one started
                    return
                self._process = None
        raise Problem("tui.playback.no_player", ExitCode.CONFIG, path=str(path))

    def stop(self) -> None:
        """Stop what plays; no effect when nothing does."""
        with self._lock:
            process, self._process, self._path = self._process, None, None
            self._request += 1
        if process is not None:
            terminate(process)

    def _commands(self, path: Path) -> Iterator[PlayerCommand]:
        return (
            player_commands(path)
            if self._commands_by_file is None
            else iter(self._commands_by_file[path])
        )

    def _start(
        self, command: PlayerCommand, path: Path, request: int
    ) -> subprocess.Popen[bytes] | None:
        """The started program, or None when a later `play` or `stop` came in between."""
        with self._lock:
            if request != self._request:
                return None
            self._process = subprocess.Popen(  # noqa: S603  our own argv, no shell
                command.argv,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.reports_ready else subprocess.DEVNULL,
                env={**os.environ, "SOVDECK_SOUND": str(path)},
            )
            self._path = path
            return self._process


def has_started(process: subprocess.Popen[bytes], reports_ready: bool) -> bool:
    """Whether sound has begun, or has ended well already."""
    if not reports_ready:
        try:
            return process.wait(STARTED_AFTER_S) == 0
        except subprocess.TimeoutExpired:
            return True
    assert process.stdout is not None
    watchdog = threading.Timer(READY_TIMEOUT_S, process.kill)
    watchdog.daemon = True
    watchdog.start()
    with process.stdout as stdout:
        ready = stdout.readline().strip() == play_file.READY
    watchdog.cancel()
    if not ready:
        terminate(process)
    return ready


def terminate(process: subprocess.Popen[bytes]) -> None:
    """End a player, by force where it does not end by itself."""
    process.terminate()
    try:
        process.wait(TERMINATE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
