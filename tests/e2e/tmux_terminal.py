"""A terminal that a test presses keys on and reads the screen of: one pane of tmux."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 600.0  # a training on a busy machine is among what is waited for


class Terminal:
    """A tmux server of its own with one pane of 130 x 40.

    keys: how many were pressed so far. pastes: how often a text was typed or pasted whole.
    """

    def __init__(self, folder: Path) -> None:
        self._base = ["tmux", "-S", str(folder / "tmux.sock"), "-f", "/dev/null"]
        self.keys = 0
        self.pastes = 0

    def open(self, command: list[str], cwd: Path, **setting: str) -> None:
        """Start a program; `setting` are environment variables."""
        given = [f"{name}={value}" for name, value in setting.items()]
        line = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", *given, *command])
        self._tmux("new-session", "-d", "-x", "130", "-y", "40", "-c", str(cwd), line)

    def screen(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self.keys += len(keys)
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text as it is."""
        self.pastes += 1
        self._tmux("send-keys", "-l", text)

    def wait(self, *words: str, until: Callable[[str], object] = lambda _: True) -> str:
        """The screen once it shows all `words` and `until` holds for it."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            screen = self.screen()
            if all(word in screen for word in words) and until(screen):
                return screen
            assert time.monotonic() < deadline, f"waited in vain for {words}:\n{screen}"
            time.sleep(0.2)

    def gone(self) -> None:
        """Wait until the program has ended."""
        deadline = time.monotonic() + LIMIT_S
        while subprocess.run([*self._base, "has-session"], capture_output=True).returncode == 0:
            assert time.monotonic() < deadline, f"it stays:\n{self.screen()}"
            time.sleep(0.2)

    def close(self) -> None:
        """End the program and its tmux server."""
        subprocess.run([*self._base, "kill-server"], capture_output=True, check=False)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run([*self._base, *words], capture_output=True, text=True, check=True)
        return done.stdout
