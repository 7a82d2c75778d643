"""The command line as a person's laptop runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from trip_steps import ROOT


class Laptop:
    """Runs `sovdeck` with a home folder and a project file of its own."""

    def __init__(self, home: Path, project: Path) -> None:
        self.home, self.project = home, project

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sovdeck.tui", "--config", str(self.project), *arguments]

    def env(self) -> dict[str, str]:
        env = {**os.environ, "SOVDECK_HOME": str(self.home), "SOVDECK_LANG": "en"}
        env.pop("SSH_AUTH_SOCK", None)
        return {**env, "PYTHONPATH": str(ROOT / "dev"), "PYTHONIOENCODING": "utf-8"}

    def __call__(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments),
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.home,
            input=typed,
            timeout=280,
            env=self.env(),
        )

    def events(self, *arguments: str, typed: str = "") -> list[dict[str, object]]:
        done = self(*arguments, "--json", typed=typed)
        assert done.returncode == 0, (arguments, done.stdout[-800:], done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]
