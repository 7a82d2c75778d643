"""Starts `sovdeck web` in a process of its own, as a person does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Page:
    """A running page: `address` holds the token, `origin` does not."""

    address: str
    process: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])


def open_page(home: Path, port: int = 0) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "SOVDECK_HOME": str(home),
        "PYTHONPATH": str(ROOT / "dev"),
        "SOVDECK_LANG": "en",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "sovdeck.tui.cli.main", "web", "--json", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=home,
    )
