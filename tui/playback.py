"""Sound on this computer: one file at a time, in a child process, without a word on the screen.

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

from engine.contract.problem import ExitCode, Problem
from tui import play_file

START_S = 15.0  # a sound system that has not answered by then is taken for dead
PROVE_S = 0.4  # a player that lives this long has begun to play
END_S = 1.0
_NATIVE: dict[str, tuple[tuple[str, ...], ...]] = {
    "darwin": (("afplay", "{file}"),),
    "win32": (
        # The path comes from the environment: in the command it would be read as PowerShell.
        ("powershell", "-NoProfile", "-NonInteractive", "-Command",
         "(New-Object System.Media.SoundPlayer $env:SOVDECK_SOUND).PlaySync()"),
    ),
    "linux": (
        ("pw-play", "{file}"), ("paplay", "{file}"), ("aplay", "-q", "{file}"),
        ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet", "{file}"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A program that plays one file and ends; `tells` when it says READY when sound begins."""

    argv: tuple[str, ...]
    tells: bool = False


def commands(path: Path, system: str = sys.platform) -> Iterator[Command]:
    """The ways to play `path` here, best first."""
    # By its file and with -P, so that a folder named tui where the person stands is not run.
    program = str(Path(play_file.__file__))
    yield Command((sys.executable, "-P", program, str(path)), tells=True)
    for program, *arguments in _NATIVE.get(system, ()):
        found = shutil.which(program)
        if found:
            yield Command((found, *(part.format(file=path) for part in arguments)))


class ChildPlayer:
    """Plays through the first way that works. `play` waits for the sound: call it in a job."""

    def __init__(self, ways: Mapping[Path, tuple[Command, ...]] | None = None) -> None:
        """`ways` replaces the programs of this computer, by file."""
        self._ways = ways
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._path: Path | None = None
        self._turn = 0

    @property
    def playing(self) -> Path | None:
        """The file that sounds now."""
        with self._lock:
            over = self._process is None or self._process.poll() is not None
            return None if over else self._path

    def play(self, path: Path) -> None:
        """Play `path` instead of what plays; Problem when it is not there or nothing can."""
        path = path.absolute()
        if not path.is_file():
            raise Problem("tui.playback.no_file", ExitCode.DATA, path=str(path))
        self.stop()
        with self._lock:
            self._turn += 1
            turn = self._turn
        for command in self._commands(path):
            process = self._start(command, path, turn)
            if process is None or _begins(process, command.tells):
                return
            with self._lock:
                if turn != self._turn:  # another file was asked for while this one started
                    return
                self._process = None
        raise Problem("tui.playback.no_player", ExitCode.CONFIG, path=str(path))

    def stop(self) -> None:
        """Silence; no effect when nothing plays."""
        with self._lock:
            process, self._process, self._path = self._process, None, None
            self._turn += 1
        if process is not None:
            _end(process)

    def _commands(self, path: Path) -> Iterator[Command]:
        return commands(path) if self._ways is None else iter(self._ways[path])

    def _start(self, command: Command, path: Path, turn: int) -> subprocess.Popen[bytes] | None:
        """The started program, or None when this turn is over."""
        with self._lock:
            if turn != self._turn:
                return None
            self._process = subprocess.Popen(  # noqa: S603  our own argv, no shell
                command.argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.tells else subprocess.DEVNULL,
                env={**os.environ, "SOVDECK_SOUND": str(path)},
            )  # fmt: skip
            self._path = path
            return self._process


def _begins(process: subprocess.Popen[bytes], tells: bool) -> bool:
    """Whether sound has begun, or has ended well already."""
    if not tells:
        try:
            return process.wait(PROVE_S) == 0
        except subprocess.TimeoutExpired:
            return True
    assert process.stdout is not None
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.daemon = True
    watchdog.start()
    with process.stdout as said:
        ready = said.readline().strip() == play_file.READY
    watchdog.cancel()
    if not ready:
        _end(process)
    return ready


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
