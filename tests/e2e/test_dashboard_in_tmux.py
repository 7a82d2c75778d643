"""The whole journey by keys: the real dashboard in tmux, a real sshd, a tiny voice.

From a pasted line to a voice at home that has spoken. What the screen says is waited for, so the
test takes as long as the machine needs.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Place
from trip_steps import ROOT, VOICE, Recorded

LIMIT_S = 240.0


class Terminal:
    """A tmux server of its own with one pane of 130 x 40."""

    def __init__(self, folder: Path) -> None:
        self._base = ["tmux", "-S", str(folder / "tmux.sock"), "-f", "/dev/null"]

    def open(self, command: list[str], cwd: Path, **setting: str) -> None:
        given = [f"{name}={value}" for name, value in setting.items()]
        line = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", *given, *command])
        self._tmux("new-session", "-d", "-x", "130", "-y", "40", "-c", str(cwd), line)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def wait(self, *words: str, until: Callable[[], bool] = lambda: True) -> str:
        """The screen once it shows all `words` and `until` holds."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            screen = self.screen()
            if all(word in screen for word in words) and until():
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
        subprocess.run([*self._base, "kill-server"], capture_output=True, check=False)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run([*self._base, *words], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not on this machine")
    made = Terminal(tmp_path)
    yield made
    made.close()


@pytest.mark.long
@pytest.mark.sshd
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_a_pasted_line_to_a_spoken_sentence(
    terminal: Terminal, sshd_v4: Place, recorded: Recorded, tmp_path: Path
) -> None:
    work, voices = tmp_path / "server work", tmp_path / "voices"
    (tmp_path / "deploy.toml").write_text(
        f"version = 1\n[paths]\nwork = {json.dumps(work.as_posix())}\n"
        f"outputs = {json.dumps(voices.as_posix())}\n"
        f"[python]\npath = {json.dumps(Path(sys.executable).as_posix())}\n"
        f'[train]\nvoice = "{VOICE}"\npreset = "tiny"\npretrained = ""\n'
        '[train.params]\n"train.repeats" = 1\n"sovits.batch_size" = 2\n"sovits.epochs" = 2\n'
        '"sovits.save_every_epochs" = 1\n'
        '"gpt.batch_size" = 2\n"gpt.epochs" = 2\n"gpt.save_every_epochs" = 1\n',
        encoding="utf-8",
    )
    setting = {
        "SOVDECK_HOME": str(tmp_path / "home"),
        "SOVDECK_LANG": "en",
        "PYTHONPATH": str(ROOT / "dev"),
        "SSH_AUTH_SOCK": "",
        "HOME": os.environ["HOME"],
    }
    terminal.open([sys.executable, "-m", "sovdeck.tui.cli.main"], tmp_path, **setting)

    terminal.wait("Servers")
    terminal.press("a")
    terminal.wait("Paste the line the provider shows")
    terminal.type(sshd_v4.spec.format())
    terminal.press("Enter")
    terminal.wait(sshd_v4.fingerprint[:20])
    terminal.press("Right", "Enter")
    terminal.wait("engine not deployed yet: press d")

    terminal.press("d")
    terminal.wait("carries the plan out")
    terminal.press("C-s")
    terminal.wait("Deploy", "y")
    terminal.press("y")
    terminal.wait("Ready to train")
    terminal.press("q")
    terminal.wait("Servers", until=lambda: "Ready to train" not in terminal.screen())

    terminal.press("5")
    terminal.wait("Folder")
    terminal.press("Tab")  # into the field: until then digits switch screens
    terminal.type(str(recorded.list_file.parent))
    terminal.press("C-s")
    terminal.wait("10 clips", "F5 pushes it")
    terminal.press("F5")
    terminal.wait("all there")

    terminal.press("4")
    terminal.wait("tiny", "in all")
    terminal.press("C-s")
    terminal.wait(f"Train {VOICE} on")
    terminal.press("y")
    terminal.wait("SoVITS", "running")
    terminal.wait("succeeded")

    terminal.press("d")
    terminal.wait("safe to switch off")
    assert (voices / VOICE / "manifest.json").is_file()

    terminal.press("6")
    terminal.wait("e2 × e2")
    terminal.type("こんにちは。")  # the screen opens with the focus on its text
    terminal.wait("6 characters")
    terminal.press("C-s")
    takes = voices / VOICE / "takes"
    terminal.wait(until=lambda: any(takes.glob(f"{VOICE}-*.wav")))
    for _ in range(4):  # past weights, references and settings, to the list of takes
        terminal.press("C-n")
    terminal.wait("first audio after")
    terminal.press("C-q")
    terminal.gone()
