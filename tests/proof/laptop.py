"""A laptop with one server that it has added and deployed to: sovdeck as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from servers import Place

from benchmarks.pty_driver import PtyProgram

ROOT = Path(__file__).resolve().parents[2]
VOICE = "Tiny"


@dataclass
class Laptop:
    """SOVDECK_HOME, a project file and the work folder of the server called `box`."""

    home: Path
    work: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.home / "deploy.toml"

    @property
    def voices(self) -> Path:
        return self.home / "voices"

    def settings(self) -> dict[str, str]:
        given = {
            "SOVDECK_HOME": str(self.home),
            "SOVDECK_LANG": "en",
            "PYTHONPATH": str(ROOT / "dev"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        return {**os.environ, "SSH_AUTH_SOCK": "", **given, **self.environ}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sovdeck.tui", "--config", str(self.project), *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command; read its output with `communicate`."""
        return subprocess.Popen(
            self.argv(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env=self.settings(),
            start_new_session=True,
        )

    def run(self, *arguments: str, limit: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def must(self, *arguments: str, limit: float = 120.0) -> str:
        """Run a command that has to end well; its output."""
        done = self.run(*arguments, limit=limit)
        assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def on_terminal(
        self, *arguments: str, columns: int = 120, rows: int = 36, keep_raw: bool = True
    ) -> PtyProgram:
        """Begin a command on a pseudo-terminal; with `keep_raw` everything it writes is kept."""
        setting = {k: v for k, v in self.settings().items() if os.environ.get(k) != v}
        return PtyProgram(self.argv(*arguments), columns, rows, environ=setting, keep_raw=keep_raw)


def write_project(laptop: Laptop, more: str = "") -> None:
    """A project file with the server's work folder and the interpreter that runs this."""
    laptop.home.mkdir(parents=True, exist_ok=True)
    laptop.project.write_text(
        f"version = 1\n[paths]\nwork = {json.dumps(laptop.work.as_posix())}\n"
        f"outputs = {json.dumps(laptop.voices.as_posix())}\n"
        f"[python]\npath = {json.dumps(Path(sys.executable).as_posix())}\n{more}",
        encoding="utf-8",
    )


def deployed_laptop(place: Place, folder: Path, more: str = "") -> Laptop:
    """Add `place` as `box` and deploy to it."""
    laptop = Laptop(folder / "laptop", folder / "work")
    write_project(laptop, more)
    accept = ("--accept-host-key", place.fingerprint)
    laptop.must("server", "add", place.spec.format(), "--name", "box", *accept)
    laptop.must("deploy", "box", limit=300.0)
    return laptop
